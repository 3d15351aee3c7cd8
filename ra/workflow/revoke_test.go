package workflow_test

import (
	"strings"
	"testing"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

var operator = audit.Actor{Kind: audit.Operator}

// Whoever the "issued" mail warns about holds the pick-up link. After the revocation it must lead nowhere.
func TestARevokedCertificateCannotBePickedUpAgain(t *testing.T) {
	h := newHouse(t)
	o, done := h.confirmed("alice@example.com")
	_, err := h.PickUp(t.Context(), done.Pickup, born(false))
	h.must(err)
	first := h.certificates(o.ID)[0]
	h.must(h.Revoke(t.Context(), first.Serial, status.KeyCompromise, holder))
	if got := h.order(o.ID); got.State != order.Revoked {
		t.Errorf("the order is %s", got.State)
	}
	_, err = h.PickUp(t.Context(), done.Pickup, born(true))
	mustBe(t, err, fault.Conflict, "order.state-revoked")
	mustBe(t, h.AskPickup(t.Context(), o.ID, holder), fault.Conflict, "order.state-revoked")
	mustBe(t, h.Receive(t.Context(), o.ID, holder), fault.Conflict, "order.state-revoked")
	mustBe(t, h.Revoke(t.Context(), first.Serial, status.Superseded, holder), fault.Conflict, "revoke.already")
	if n := len(h.certificates(o.ID)); n != 1 {
		t.Errorf("there are %d certificates", n)
	}
	h.work()
	told := false
	for _, l := range h.letters(o.ID) {
		told = told || strings.Contains(l.subject, "was revoked")
	}
	if !told {
		t.Error("the holder was not told")
	}
	h.proveAudit()
}

func TestRevokingWhatIsNotASubscribersCertificate(t *testing.T) {
	h := newHouse(t)
	mustBe(t, h.Revoke(t.Context(), issuance.NewSerial(), status.Superseded, holder), fault.NotFound, "serial.unknown")
	house, err := h.ledger.Certificates(t.Context(), issuance.Filter{House: true, Limit: 1})
	h.must(err)
	mustBe(t, h.Revoke(t.Context(), house[0].Serial, status.Superseded, holder), fault.Refused, "revoke.house")
}

// A key that was reported as compromised is not certified again, for nobody (SBR 6.1.1.3, BR-034).
func TestACompromisedKeyIsNeverCertifiedAgain(t *testing.T) {
	h := newHouse(t)
	key := newKey(t)
	o, done := h.confirmed("alice@example.com")
	_, err := h.PickUp(t.Context(), done.Pickup, workflow.Choice{Request: csr(t, key), By: holder})
	h.must(err)

	waiting, other := h.confirmed("bob@example.com") // approved before the key is reported
	h.must(h.Revoke(t.Context(), h.certificates(o.ID)[0].Serial, status.KeyCompromise, holder))

	_, err = h.PickUp(t.Context(), other.Pickup, workflow.Choice{Request: csr(t, key), By: holder})
	mustBe(t, err, fault.Refused, "request.compromised")
	a := h.application("carol@example.com")
	a.Request = csr(t, key)
	_, err = h.Submit(t.Context(), a)
	mustBe(t, err, fault.Refused, "request.compromised")
	_, err = h.PickUp(t.Context(), other.Pickup, workflow.Choice{Request: csr(t, newKey(t)), By: holder})
	h.must(err)
	if len(h.certificates(waiting.ID)) != 1 {
		t.Error("another key was not certified")
	}
}

// One click on "this is my mailbox" must not certify somebody else's key for it.
func TestAKeyThatCameWithTheOrderNeedsItsOwnYes(t *testing.T) {
	h := newHouse(t)
	a := h.application("victim@example.com")
	a.Request = csr(t, newKey(t))
	o, err := h.Submit(t.Context(), a)
	h.must(err)
	h.work()
	if l := h.letters(o.ID)[0]; !strings.Contains(l.text, "for a key that") {
		t.Errorf("the mail does not say that somebody holds the key:\n%s", l.text)
	}
	link := h.link(o.ID, order.ToConfirm)
	_, err = h.Confirm(t.Context(), link, false, holder)
	mustBe(t, err, fault.Refused, "confirm.key")
	if got := h.order(o.ID); got.State != order.Confirming {
		t.Errorf("the order is %s", got.State)
	}
	_, err = h.Confirm(t.Context(), link, true, holder)
	h.must(err)
	h.work()
	if len(h.certificates(o.ID)) != 1 {
		t.Error("with the yes no certificate was made")
	}
}

// One key, two mailboxes: when it is reported for one, the other's certificate cannot stay good (SBR 6.1.2).
func TestACompromiseReachesEveryCertificateOfTheKey(t *testing.T) {
	h := newHouse(t)
	key := newKey(t)
	var orders []order.Order
	for _, who := range []string{"alice@example.com", "bob@example.com"} {
		o, done := h.confirmed(who)
		_, err := h.PickUp(t.Context(), done.Pickup, workflow.Choice{Request: csr(t, key), By: holder})
		h.must(err)
		orders = append(orders, o)
	}
	h.must(h.Revoke(t.Context(), h.certificates(orders[0].ID)[0].Serial, status.KeyCompromise, holder))
	h.work()
	if other := h.certificates(orders[1].ID)[0]; !h.revoked(other) || h.order(orders[1].ID).State != order.Revoked {
		t.Error("the other certificate of the key is still good")
	}
	h.proveAudit()
}

// A key can be reported after its certificate was superseded; the first revocation stays, and the key is never certified again.
func TestASupersededKeyCanBeReported(t *testing.T) {
	h := newHouse(t)
	key := newKey(t)
	o, done := h.confirmed("alice@example.com")
	_, err := h.PickUp(t.Context(), done.Pickup, workflow.Choice{Request: csr(t, key), By: holder})
	h.must(err)
	first := h.certificates(o.ID)[0]
	h.must(h.Revoke(t.Context(), first.Serial, status.Superseded, operator))
	mustBe(t, h.Revoke(t.Context(), first.Serial, status.Superseded, operator), fault.Conflict, "revoke.already")
	h.must(h.Revoke(t.Context(), first.Serial, status.KeyCompromise, operator))
	_, other := h.confirmed("bob@example.com")
	_, err = h.PickUp(t.Context(), other.Pickup, workflow.Choice{Request: csr(t, key), By: holder})
	mustBe(t, err, fault.Refused, "request.compromised")
}

// The holder revokes what they see on the page; somebody with the pick-up link was quicker.
func TestAHolderRevokesWhatTheyHaveNow(t *testing.T) {
	h := newHouse(t)
	o, done := h.confirmed("alice@example.com")
	_, err := h.PickUp(t.Context(), done.Pickup, born(false))
	h.must(err)
	seen := h.certificates(o.ID)[0]
	_, err = h.PickUp(t.Context(), done.Pickup, born(true))
	h.must(err)
	h.must(h.Revoke(t.Context(), seen.Serial, status.KeyCompromise, holder))
	for _, c := range h.certificates(o.ID) {
		if !h.revoked(c) {
			t.Errorf("%s is still good", c.Serial)
		}
	}
}
