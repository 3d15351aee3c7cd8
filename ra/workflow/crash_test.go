package workflow_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery.example/approval"
	"chancery.example/ca/issuance"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

func TestACarrierThatFailsIsTriedAgainAndThenSeen(t *testing.T) {
	h := newHouse(t)
	h.carrier.refuses = fault.New(fault.Unavailable, "smtp.failed", "The mail server did not take the mail.")
	o := h.submit("alice@example.com")
	mails := func() notify.Mail {
		list, err := h.ledger.Mails(t.Context(), notify.Filter{Order: string(o.ID), Limit: 10})
		h.must(err)
		if len(list) != 1 {
			t.Fatalf("%d mails", len(list))
		}
		return list[0]
	}
	h.work()
	if m := mails(); m.State != notify.Queued || m.Attempts != 1 || !strings.Contains(m.LastError, "did not take") {
		t.Errorf("after one attempt: %+v", m)
	}
	for range 20 {
		h.clock.pass(6 * time.Hour)
		h.work()
	}
	if m := mails(); m.State != notify.Failed || m.Attempts != jobs.DefaultAttempts {
		t.Errorf("after all attempts: %+v", m)
	}
	if !slices.Contains(h.actions(o.ID), "mail.fail") || !strings.Contains(h.log.String(), "given up") {
		t.Error("the failure is not told")
	}
	h.carrier.refuses = nil
	h.must(h.Resend(t.Context(), o.ID, holder))
	h.work()
	if len(h.links(o.ID, order.ToConfirm)) != 1 {
		t.Error("the next mail did not leave")
	}
}

func TestAMailThatTheServerRefusesForGoodIsNotTriedAgain(t *testing.T) {
	h := newHouse(t)
	h.carrier.refuses = jobs.Give(fault.New(fault.Refused, "smtp.refused", "The mail server refused the mail."))
	o := h.submit("alice@example.com")
	h.work()
	list, err := h.ledger.Mails(t.Context(), notify.Filter{Order: string(o.ID), Limit: 10})
	h.must(err)
	if list[0].State != notify.Failed || list[0].Attempts != 1 || h.ledger.waiting(notify.Send) {
		t.Errorf("it is %+v", list[0])
	}
}

// Links are made anew for each attempt; a first attempt that was lost on the way leaves links that nobody knows.
func TestEachAttemptHasNewLinks(t *testing.T) {
	h := newHouse(t)
	h.carrier.refuses = errors.New("gone")
	o := h.submit("alice@example.com")
	h.work()
	h.carrier.refuses = nil
	h.clock.pass(time.Minute)
	h.work()
	if l := h.letters(o.ID); len(l) != 1 || !strings.Contains(l[0].to, "alice@example.com") || l[0].subject != "Please confirm alice@example.com" {
		t.Fatalf("letters: %+v", l)
	}
	if _, err := h.Confirm(t.Context(), h.link(o.ID, order.ToConfirm), true, holder); err != nil {
		t.Error(err)
	}
}

var errPower = errors.New("the power is gone")

func TestACrashBetweenIntentAndRecord(t *testing.T) {
	lost := func(h *house) {
		h.ledger.failing(func(s workflow.Step) error {
			if s.Issued != nil {
				return errPower
			}
			return nil
		})
	}
	t.Run("with a key that its holder has, the same certificate is signed again", func(t *testing.T) {
		h := newHouse(t)
		o, done := h.confirmed("alice@example.com")
		lost(h)
		if _, err := h.PickUp(t.Context(), done.Pickup, workflow.Choice{Request: csr(t, newKey(t)), By: holder}); !errors.Is(err, errPower) {
			t.Fatal(err)
		}
		h.ledger.failing(nil)
		if got := h.order(o.ID); got.State != order.Issuing {
			t.Fatalf("it is %s", got.State)
		}
		_, err := h.PickUp(t.Context(), done.Pickup, workflow.Choice{Request: csr(t, newKey(t)), By: holder})
		mustBe(t, err, fault.Conflict, "order.state-issuing")
		h.work()
		if h.order(o.ID).State != order.Issuing {
			t.Error("settled too early: the signature might be under way")
		}
		h.clock.pass(3 * time.Minute)
		h.work()
		if certs := h.certificates(o.ID); h.order(o.ID).State != order.Issued || len(certs) != 1 || h.revoked(certs[0]) {
			t.Errorf("it is %s", h.order(o.ID).State)
		}
	})
	t.Run("with a key that is gone, the serial number is revoked and the order waits again", func(t *testing.T) {
		h := newHouse(t)
		o, done := h.confirmed("alice@example.com")
		lost(h)
		if _, err := h.PickUp(t.Context(), done.Pickup, born(false)); !errors.Is(err, errPower) {
			t.Fatal(err)
		}
		h.ledger.failing(nil)
		serial := issuance.Serial(h.order(o.ID).Serial)
		h.must(h.SettleAll(t.Context()))
		h.must(h.SettleAll(t.Context()))
		if got := h.order(o.ID); got.State != order.Approved || got.Serial != "" {
			t.Errorf("it is %+v", got)
		}
		standing, err := h.ledger.Standing(t.Context(), "issuing", serial)
		h.must(err)
		if standing.Revocation == nil || len(h.certificates(o.ID)) != 0 {
			t.Error("what may have been signed is not revoked")
		}
		h.clock.pass(time.Hour)
		h.work()
		if _, err := h.PickUp(t.Context(), h.link(o.ID, order.ToPickup), born(false)); err != nil {
			t.Error(err)
		}
		h.proveAudit()
	})
}

func TestAKeyThatCannotSignForDaysIsWaitedFor(t *testing.T) {
	h := newHouse(t)
	o, done := h.confirmed("alice@example.com")
	h.signer.off = true
	_, err := h.PickUp(t.Context(), done.Pickup, workflow.Choice{Request: csr(t, newKey(t)), By: holder})
	mustBe(t, err, fault.Unavailable, "issuance.signer")
	for range 60 {
		h.clock.pass(2 * time.Hour)
		h.work()
	}
	if h.order(o.ID).State != order.Issuing || !h.ledger.waiting(workflow.SettleJob) {
		t.Fatal("nobody will close the intent")
	}
	h.signer.off = false
	h.clock.pass(2 * time.Hour)
	h.work()
	if h.order(o.ID).State != order.Issued {
		t.Errorf("it is %s", h.order(o.ID).State)
	}
}

// Two pick-ups at once: whoever comes second is told so, and one certificate is good.
func TestTwoPickUpsAtOnce(t *testing.T) {
	h := newHouse(t)
	o, done := h.confirmed("alice@example.com")
	errs := make([]error, 6)
	var wait sync.WaitGroup
	for i := range errs {
		request := csr(t, newKey(t))
		wait.Go(func() {
			_, errs[i] = h.PickUp(t.Context(), done.Pickup, workflow.Choice{Request: request, By: holder})
		})
	}
	wait.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if code := fault.CodeOf(err); code != "order.state-issuing" && code != "pickup.again" {
			t.Errorf("a caller was told %v (%s)", err, code)
		}
	}
	if won != 1 || len(h.certificates(o.ID)) != 1 {
		t.Errorf("%d won, %d certificates", won, len(h.certificates(o.ID)))
	}
}

func TestNoVerdictIsEverStored(t *testing.T) {
	h := newHouse(t)
	o, _ := h.confirmed("alice@example.com")
	evidence, err := h.ledger.Evidence(t.Context(), o.Claims())
	h.must(err)
	if v := approval.Judge(approval.Case{Claims: o.Claims(), Evidence: evidence, Agreement: o.Agreement}, h.clock.Now()); !v.Allowed(h.clock.Now()) {
		t.Error("what the ledger holds does not give the verdict again")
	}
}
