package workflow_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/keys/delivery"
	"chancery.example/mailbox"
	"chancery.example/notify"
	"chancery.example/pkcs12"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

const password = "marble-otter-lantern"

func born(again bool) workflow.Choice {
	return workflow.Choice{Password: password, Again: again, By: audit.Actor{Kind: audit.Applicant, ID: "pickup"}}
}

// The whole way: ordered, proved, picked up, picked up again, received. The secrets of the way are nowhere but in the mails.
func TestTheWholeWayWithAKeyBornAtPickUp(t *testing.T) {
	h := newHouse(t)
	o := h.submit("alice@example.com")
	if o.State != order.Confirming || o.Profile != "mv-strict" || o.Version != 1 {
		t.Errorf("submitted: %+v", o)
	}
	h.work()
	page, err := h.Open(t.Context(), order.ToConfirm, h.link(o.ID, order.ToConfirm))
	h.must(err)
	if page.State != order.Confirming || h.order(o.ID).State != order.Confirming {
		t.Error("opening the link, as a scanner does, has moved the order")
	}
	done, err := h.Confirm(t.Context(), h.link(o.ID, order.ToConfirm), false, holder)
	h.must(err)
	if done.Order.State != order.Approved || done.Pickup == "" || done.Status == "" {
		t.Errorf("confirmed: %+v", done)
	}
	first, err := h.PickUp(t.Context(), done.Pickup, born(false))
	h.must(err)
	checkParcel(t, h, first)
	_, err = h.PickUp(t.Context(), done.Pickup, born(false))
	mustBe(t, err, fault.Conflict, "pickup.again")
	second, err := h.PickUp(t.Context(), done.Pickup, born(true))
	h.must(err)
	checkParcel(t, h, second)
	if bytes.Equal(first.Certificate.RawSubjectPublicKeyInfo, second.Certificate.RawSubjectPublicKeyInfo) {
		t.Error("the second certificate has the first key")
	}
	certs := h.certificates(o.ID)
	if len(certs) != 2 || h.revoked(certs[0]) || !h.revoked(certs[1]) {
		t.Errorf("%d certificates; the first must be revoked and the second not", len(certs))
	}
	h.clock.pass(time.Hour)
	h.work()
	h.must(h.Receive(t.Context(), o.ID, holder))
	_, err = h.PickUp(t.Context(), done.Pickup, born(true))
	mustBe(t, err, fault.Conflict, "order.state-delivered")
	if got := h.order(o.ID); got.State != order.Delivered || !got.DeliveredAt.Equal(h.clock.Now()) {
		t.Errorf("received: %+v", got)
	}
	var kinds []string
	mails, err := h.ledger.Mails(t.Context(), notify.Filter{Order: string(o.ID), Limit: 100})
	h.must(err)
	for _, m := range slices.Backward(mails) {
		kinds = append(kinds, string(m.Kind)+" "+string(m.State))
	}
	if want := []string{"confirm sent", "ready dropped", "issued sent", "issued sent"}; !slices.Equal(kinds, want) {
		t.Errorf("the mails were %v, want %v", kinds, want)
	}
	want := []string{"order.submit", "mail.send", "order.confirm", "order.approve", "order.prepare", "order.prepare", "mail.send", "mail.send", "order.receive"}
	if got := h.actions(o.ID); !slices.Equal(got, want) {
		t.Errorf("the history is %v, want %v", got, want)
	}
	h.proveAudit()
	h.checkSecrets(o.ID, done.Pickup, done.Status, order.Secret(password))
}

// checkParcel opens a PKCS#12 and checks it with OpenSSL, which has the same opinion of the chain.
func checkParcel(t *testing.T, h *house, p delivery.Parcel) {
	t.Helper()
	found, _, err := pkcs12.Decode(p.Data, password, pkcs12.Limits{})
	if err != nil || len(found) != 1 || !found[0].Cert.Equal(p.Certificate) || len(found[0].Chain) != 2 {
		t.Fatalf("the parcel holds %d identities, %v", len(found), err)
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		f := filepath.Join(dir, name)
		if err := os.WriteFile(f, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return f
	}
	asPEM := func(c *x509.Certificate) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	}
	out, err := exec.Command("openssl", "verify", "-x509_strict", "-purpose", "smimesign", "-attime", fmt.Sprint(start.Add(time.Minute).Unix()),
		"-CAfile", write("root.pem", asPEM(h.hierarchy.Root)), "-untrusted", write("ca.pem", asPEM(h.hierarchy.Issuing)), write("leaf.pem", asPEM(p.Certificate))).CombinedOutput()
	if err != nil {
		t.Errorf("openssl: %v\n%s", err, out)
	}
	out, err = exec.Command("openssl", "pkcs12", "-in", write("a.p12", p.Data), "-passin", "pass:"+password, "-nodes").CombinedOutput()
	if err != nil || strings.Count(string(out), "BEGIN CERTIFICATE") != 3 || strings.Count(string(out), "BEGIN PRIVATE KEY") != 1 {
		t.Errorf("openssl pkcs12: %v\n%.300s", err, out)
	}
}

// checkSecrets looks for secrets where they must not be: in the database, its log file and the log.
func (h *house) checkSecrets(id order.ID, more ...order.Secret) {
	h.t.Helper()
	secrets := append(slices.Concat(h.links(id, order.ToConfirm), h.links(id, order.ToStatus), h.links(id, order.ToPickup)), more...)
	if len(secrets) < 4 {
		h.t.Fatalf("only %d secrets to look for", len(secrets))
	}
	places := map[string][]byte{"the log": []byte(h.log.String())}
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(h.database + suffix)
		h.must(err)
		places["house.db"+suffix] = raw
	}
	if !bytes.Contains(places["house.db-wal"], []byte(id)) && !bytes.Contains(places["house.db"], []byte(id)) {
		h.t.Fatal("the database does not even hold the order: this test looks in the wrong place")
	}
	for where, raw := range places {
		for _, s := range secrets {
			if bytes.Contains(raw, []byte(string(s))) {
				h.t.Errorf("%s holds a secret", where)
			}
		}
		if bytes.Contains(raw, []byte("PRIVATE KEY")) {
			h.t.Errorf("%s holds a private key", where)
		}
	}
}

func TestResendGivesANewValueAndTheOldOneStaysGoodForItsDay(t *testing.T) {
	h := newHouse(t)
	o := h.submit("alice@example.com")
	h.work()
	for range 2 {
		h.clock.pass(10 * time.Hour)
		h.must(h.Resend(t.Context(), o.ID, holder))
		h.work()
	}
	all := h.links(o.ID, order.ToConfirm)
	if len(all) != 3 {
		t.Fatalf("three mails have %d values", len(all))
	}
	h.clock.pass(4 * time.Hour) // the first is 24 hours old now, the second 14
	_, err := h.Confirm(t.Context(), all[0], true, holder)
	mustBe(t, err, fault.Gone, "link.expired")
	done, err := h.Confirm(t.Context(), all[1], true, holder)
	h.must(err)
	evidence, err := h.ledger.Evidence(t.Context(), done.Order.Claims())
	h.must(err)
	if len(evidence) != 1 || !evidence[0].At.Equal(start.Add(10*time.Hour)) {
		t.Errorf("the evidence counts from another moment than the making of the value: %+v", evidence)
	}
	_, err = h.Confirm(t.Context(), all[2], true, holder)
	mustBe(t, err, fault.Conflict, "order.state-approved")
	mustBe(t, h.Resend(t.Context(), o.ID, holder), fault.Conflict, "order.state-approved")
}

func TestConfirmRefuses(t *testing.T) {
	h := newHouse(t)
	fresh := func() (order.Order, order.Secret) {
		h.clock.set(start)
		o := h.submit("alice@example.com")
		h.work()
		return o, h.link(o.ID, order.ToConfirm)
	}
	for _, c := range []struct {
		name   string
		secret func() order.Secret
		kind   fault.Kind
		code   string
	}{
		{"a link after its 24 hours, to the microsecond", func() order.Secret {
			_, s := fresh()
			h.clock.pass(24 * time.Hour)
			return s
		}, fault.Gone, "link.expired"},
		{"a link that was used", func() order.Secret {
			_, s := fresh()
			_, err := h.Confirm(t.Context(), s, true, holder)
			h.must(err)
			return s
		}, fault.Gone, "link.used"},
		{"a link with one letter changed", func() order.Secret {
			_, s := fresh()
			flip := byte('a')
			if s[5] == 'a' {
				flip = 'b'
			}
			return s[:5] + order.Secret(flip) + s[6:]
		}, fault.NotFound, "link.unknown"},
		{"a link in capitals", func() order.Secret { _, s := fresh(); return order.Secret(strings.ToUpper(string(s))) }, fault.NotFound, "link.unknown"},
		{"no link", func() order.Secret { return "" }, fault.NotFound, "link.unknown"},
		{"a status link instead", func() order.Secret { o, _ := fresh(); return h.link(o.ID, order.ToStatus) }, fault.NotFound, "link.unknown"},
		{"a pick-up link instead", func() order.Secret { _, done := h.confirmed("carol@example.com"); return done.Pickup }, fault.NotFound, "link.unknown"},
		{"a link of an order that was cancelled", func() order.Secret {
			o, s := fresh()
			h.must(h.Cancel(t.Context(), o.ID, "changed my mind", holder))
			return s
		}, fault.Conflict, "order.state-cancelled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			done, err := h.Confirm(t.Context(), c.secret(), true, holder)
			mustBe(t, err, c.kind, c.code)
			if done.Pickup != "" || done.Status != "" {
				t.Error("links came beside the refusal")
			}
		})
	}
	t.Run("a link just before its end is good", func(t *testing.T) {
		_, s := fresh()
		h.clock.pass(24*time.Hour - time.Microsecond)
		if _, err := h.Confirm(t.Context(), s, true, holder); err != nil {
			t.Error(err)
		}
	})
	t.Run("a link proves its own order's mailbox and no other", func(t *testing.T) {
		h.clock.set(start)
		mine, theirs := h.submit("mallory@example.com"), h.submit("victim@example.com")
		h.work()
		done, err := h.Confirm(t.Context(), h.link(mine.ID, order.ToConfirm), true, holder)
		h.must(err)
		if done.Order.ID != mine.ID || h.order(theirs.ID).State != order.Confirming {
			t.Error("another order moved")
		}
		if e, err := h.ledger.Evidence(t.Context(), theirs.Claims()); err != nil || len(e) != 0 {
			t.Errorf("the other mailbox has evidence: %v, %v", e, err)
		}
	})
}

func TestTwoConfirmationsAtOnceGiveOneEvidence(t *testing.T) {
	h := newHouse(t)
	for round := range 5 {
		o := h.submit(fmt.Sprintf("alice%d@example.com", round))
		h.must(h.Resend(t.Context(), o.ID, holder))
		h.work()
		links := h.links(o.ID, order.ToConfirm)
		const callers = 8
		errs := make([]error, callers)
		got := make([]workflow.Confirmed, callers)
		var wait sync.WaitGroup
		for i := range callers {
			wait.Go(func() { got[i], errs[i] = h.Confirm(t.Context(), links[i%2], true, holder) })
		}
		wait.Wait()
		won := 0
		for i, err := range errs {
			switch code := fault.CodeOf(err); {
			case err == nil:
				won++
			case code != "link.used" && code != "order.state-approved":
				t.Errorf("a caller was told %v (%s)", err, code)
			case got[i].Pickup != "" || got[i].Status != "":
				t.Error("links came beside a refusal")
			}
		}
		evidence, err := h.ledger.Evidence(t.Context(), o.Claims())
		h.must(err)
		if won != 1 || len(evidence) != 1 || h.order(o.ID).State != order.Approved {
			t.Errorf("%d won, %d pieces of evidence", won, len(evidence))
		}
	}
	h.proveAudit()
}

func TestPickUpByRequest(t *testing.T) {
	h := newHouse(t)
	o, done := h.confirmed("alice@example.com")
	broken := csr(t, newKey(t), "alice@example.com")
	block, _ := pem.Decode(broken)
	block.Bytes[len(block.Bytes)-1] ^= 1
	weak, err := exec.Command("openssl", "req", "-new", "-nodes", "-newkey", "rsa:1024", "-keyout", filepath.Join(t.TempDir(), "k"), "-subj", "/CN=a").Output()
	h.must(err)
	for _, c := range []struct {
		name    string
		request []byte
		kinds   []fault.Kind
	}{
		{"a weak key", weak, []fault.Kind{fault.Refused}},
		{"another address", csr(t, newKey(t), "bob@example.com"), []fault.Kind{fault.Refused}},
		{"the ordered address and another", csr(t, newKey(t), "alice@example.com", "bob@example.com"), []fault.Kind{fault.Refused}},
		{"the same letters in another case", csr(t, newKey(t), "Alice@example.com"), []fault.Kind{fault.Refused}},
		{"a broken signature", pem.EncodeToMemory(block), []fault.Kind{fault.Refused, fault.Invalid}},
		{"10 MB", bytes.Repeat([]byte("A"), 10<<20), []fault.Kind{fault.TooLarge}},
		{"garbage", []byte("please give me a certificate"), []fault.Kind{fault.Invalid}},
		{"a certificate instead", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.hierarchy.Root.Raw}), []fault.Kind{fault.Invalid, fault.Refused}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := h.PickUp(t.Context(), done.Pickup, workflow.Choice{Request: c.request, By: holder})
			if err == nil || !slices.Contains(c.kinds, fault.KindOf(err)) || len(fault.Sentence(err)) < 20 {
				t.Errorf("got %v (%v)", err, fault.KindOf(err))
			}
			if _, err := h.Submit(t.Context(), func() workflow.Application {
				a := h.application("alice@example.com")
				a.Request = c.request
				return a
			}()); err == nil || !slices.Contains(c.kinds, fault.KindOf(err)) {
				t.Errorf("handed in with an order: %v (%v)", err, fault.KindOf(err))
			}
		})
	}
	if got := h.order(o.ID); got.State != order.Approved || len(h.certificates(o.ID)) != 0 {
		t.Fatalf("a bad request moved the order to %s", got.State)
	}
	key := newKey(t)
	p, err := h.PickUp(t.Context(), done.Pickup, workflow.Choice{Request: csr(t, key, "alice@example.com"), By: holder})
	h.must(err)
	if !key.PublicKey.Equal(p.Certificate.PublicKey) || p.ContentType != "application/x-pem-file" || bytes.Count(p.Data, []byte("BEGIN CERTIFICATE")) != 3 || p.Name != "alice@example.com.pem" {
		t.Errorf("the parcel is %s, %s", p.Name, p.ContentType)
	}
	again, err := h.Fetch(t.Context(), o.ID)
	h.must(err)
	if !bytes.Equal(again.Data, p.Data) {
		t.Error("fetching gives something else")
	}
}

func TestPickUpRefusesBadChoicesBeforeAnythingIsMade(t *testing.T) {
	h := newHouse(t)
	o, done := h.confirmed("alice@example.com")
	for name, ch := range map[string]workflow.Choice{
		"no password": {}, "a short password": {Password: "short"}, "a password of 2 MB": {Password: strings.Repeat("x", 2<<20)},
		"a password that is no text": {Password: "long enough \xff\xfe"}, "an encoding that is none": {Password: password, Encoding: "rot13"},
	} {
		if _, err := h.PickUp(t.Context(), done.Pickup, ch); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if h.order(o.ID).State != order.Approved {
		t.Error("the order moved")
	}
}

func TestPickUpEnds(t *testing.T) {
	h := newHouse(t)
	_, done := h.confirmed("alice@example.com")
	choice := func() workflow.Choice { return workflow.Choice{Request: csr(t, newKey(t)), By: holder} }
	t.Run("a link after its 72 hours asks for a new one", func(t *testing.T) {
		h.clock.set(start.Add(72 * time.Hour))
		_, err := h.PickUp(t.Context(), done.Pickup, choice())
		mustBe(t, err, fault.Gone, "link.expired")
		page, err := h.Open(t.Context(), order.ToPickup, done.Pickup)
		if !fault.Is(err, fault.Gone) || page.Order.ID != done.Order.ID {
			t.Errorf("the page cannot offer a new link: %v, %v", page.Order.ID, err)
		}
		h.must(h.AskPickup(t.Context(), done.Order.ID, holder))
		h.work()
		if _, err := h.Open(t.Context(), order.ToPickup, h.link(done.Order.ID, order.ToPickup)); err != nil {
			t.Error(err)
		}
	})
	t.Run("nothing is picked up after 30 days", func(t *testing.T) {
		h.clock.set(start.Add(29 * 24 * time.Hour))
		h.must(h.AskPickup(t.Context(), done.Order.ID, holder))
		h.work()
		h.clock.set(start.Add(30 * 24 * time.Hour))
		_, err := h.PickUp(t.Context(), h.link(done.Order.ID, order.ToPickup), choice())
		mustBe(t, err, fault.Conflict, "order.state-expired")
		mustBe(t, h.AskPickup(t.Context(), done.Order.ID, holder), fault.Conflict, "order.state-expired")
		mustBe(t, h.Cancel(t.Context(), done.Order.ID, "", holder), fault.Conflict, "order.state-expired")
		if p, err := h.View(t.Context(), done.Order.ID); err != nil || p.State != order.Expired {
			t.Errorf("seen as %s, %v", p.State, err)
		}
	})
	t.Run("evidence that lapsed while the order waited refuses it, with the reason", func(t *testing.T) {
		h.clock.set(start)
		o := h.submit("bob@example.com")
		h.work()
		h.clock.pass(20 * time.Hour)
		_, err := h.Confirm(t.Context(), h.link(o.ID, order.ToConfirm), true, holder)
		h.must(err)
		h.clock.set(start.Add(29*24*time.Hour + 23*time.Hour))
		h.must(h.AskPickup(t.Context(), o.ID, holder))
		h.work()
		h.clock.set(start.Add(30 * 24 * time.Hour))
		_, err = h.PickUp(t.Context(), h.link(o.ID, order.ToPickup), choice())
		mustBe(t, err, fault.Refused, "order.refused")
		got := h.order(o.ID)
		if got.State != order.Refused || len(got.Reasons) != 1 || got.Reasons[0].Code != "no-evidence" || len(h.certificates(o.ID)) != 0 {
			t.Errorf("the order is %s because of %+v", got.State, got.Reasons)
		}
	})
	h.proveAudit()
}

func TestCancel(t *testing.T) {
	h := newHouse(t)
	o := h.submit("alice@example.com")
	if err := h.Cancel(t.Context(), o.ID, strings.Repeat("ä", 501), holder); !fault.Is(err, fault.Invalid) {
		t.Errorf("an endless reason: %v", err)
	}
	h.must(h.Cancel(t.Context(), o.ID, strings.Repeat("ä", 500), holder))
	if got := h.order(o.ID); got.State != order.Cancelled || len(got.Reasons) != 1 {
		t.Errorf("cancelled: %+v", got)
	}
	h.work()
	if len(h.letters(o.ID)) != 0 {
		t.Error("a mail of a cancelled order left")
	}
	mustBe(t, h.Cancel(t.Context(), o.ID, "", holder), fault.Conflict, "order.state-cancelled")
	_, done := h.confirmed("bob@example.com")
	h.must(h.Cancel(t.Context(), done.Order.ID, "", holder))
	_, err := h.PickUp(t.Context(), done.Pickup, born(false))
	mustBe(t, err, fault.Conflict, "order.state-cancelled")
	mustBe(t, h.Receive(t.Context(), done.Order.ID, holder), fault.Conflict, "order.state-cancelled")
	mustBe(t, h.Cancel(t.Context(), "ord_none", "", holder), fault.NotFound, "order.unknown")
}

func TestSubmitRefuses(t *testing.T) {
	h := newHouse(t)
	for _, c := range []struct {
		name   string
		change func(*workflow.Application)
		code   string
	}{
		{"no address", func(a *workflow.Application) { a.Mailbox = mailbox.Address{} }, "mailbox.empty"},
		{"no agreement", func(a *workflow.Application) { a.Agreement, a.AgreementSHA256 = "", "" }, "agreement.missing"},
		{"the agreement of last year", func(a *workflow.Application) { a.Agreement = "2025-01" }, "agreement.changed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := h.application("alice@example.com")
			c.change(&a)
			_, err := h.Submit(t.Context(), a)
			if err == nil || fault.CodeOf(err) != c.code {
				t.Errorf("got %v (%s), want %s", err, fault.CodeOf(err), c.code)
			}
		})
	}
	a := h.application("alice@example.com")
	a.Profile = "ev-everything"
	if _, err := h.Submit(t.Context(), a); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown profile: %v", err)
	}
}

func TestOrderWithARequestIsIssuedByAJob(t *testing.T) {
	h := newHouse(t)
	a := h.application("alice@example.com")
	key := newKey(t)
	a.Request = csr(t, key, "alice@example.com")
	o, err := h.Submit(t.Context(), a)
	h.must(err)
	_, err = h.Fetch(t.Context(), o.ID)
	mustBe(t, err, fault.Conflict, "order.state-confirming")
	h.work()
	_, err = h.Confirm(t.Context(), h.link(o.ID, order.ToConfirm), false, holder) // the mailbox has not said that it knows the key
	mustBe(t, err, fault.Refused, "confirm.key")
	if e, err := h.ledger.Evidence(t.Context(), o.Claims()); err != nil || len(e) != 0 || h.order(o.ID).State != order.Confirming {
		t.Errorf("all the same there is evidence: %v, %v", e, err)
	}
	done, err := h.Confirm(t.Context(), h.link(o.ID, order.ToConfirm), true, holder)
	h.must(err)
	if done.Pickup != "" {
		t.Error("there is nothing to pick up")
	}
	if failed := h.work(); len(failed) != 0 {
		t.Fatal(failed)
	}
	p, err := h.Fetch(t.Context(), o.ID)
	h.must(err)
	if !key.PublicKey.Equal(p.Certificate.PublicKey) || h.order(o.ID).State != order.Issued {
		t.Error("another key was certified")
	}
	raw := fmt.Sprintf(`{"order":%q}`, o.ID)
	if err := h.table[workflow.IssueJob](t.Context(), jobs.Attempt{Args: []byte(raw)}); err != nil || len(h.certificates(o.ID)) != 1 {
		t.Errorf("the job run twice: %v, %d certificates", err, len(h.certificates(o.ID)))
	}
}

func TestRenew(t *testing.T) {
	h := newHouse(t)
	first, done := h.confirmed("alice@example.com")
	_, err := h.PickUp(t.Context(), done.Pickup, workflow.Choice{Request: csr(t, newKey(t)), By: holder})
	h.must(err)
	serial := issuance.Serial(h.order(first.ID).Serial)
	renew := func(by audit.Actor, request []byte) (order.Order, error) {
		a := h.application("alice@example.com")
		a.Renews, a.By, a.Request = serial, by, request
		return h.Renew(t.Context(), a)
	}
	stranger := audit.Actor{Kind: audit.Person, ID: "acc_1"}
	t.Run("fresh evidence leads straight to a pick-up mail", func(t *testing.T) {
		h.clock.set(start.Add(20 * 24 * time.Hour))
		o, err := renew(holder, nil)
		h.must(err)
		if o.State != order.Approved || o.Renews != string(serial) {
			t.Fatalf("renewed: %+v", o)
		}
		h.work()
		p, err := h.PickUp(t.Context(), h.link(o.ID, order.ToPickup), workflow.Choice{Request: csr(t, newKey(t)), By: holder})
		h.must(err)
		if issuance.SerialOf(p.Certificate.SerialNumber) == serial {
			t.Error("the same certificate again")
		}
		if want := []string{"order.submit", "order.confirm", "order.approve", "mail.send", "order.prepare"}; !slices.Equal(h.actions(o.ID), want) {
			t.Errorf("the history is %v", h.actions(o.ID))
		}
	})
	t.Run("a request by the bearer of the status link is made into a certificate by a job", func(t *testing.T) {
		o, err := renew(holder, csr(t, newKey(t)))
		h.must(err)
		h.work()
		if h.order(o.ID).State != order.Issued {
			t.Errorf("it is %s", h.order(o.ID).State)
		}
	})
	t.Run("somebody who hands in a key of their own for another's mailbox waits for that mailbox", func(t *testing.T) {
		o, err := renew(stranger, csr(t, newKey(t)))
		h.must(err)
		h.work()
		if got := h.order(o.ID); got.State != order.Confirming || len(h.certificates(o.ID)) != 0 {
			t.Errorf("it is %s", got.State)
		}
		if len(h.links(o.ID, order.ToConfirm)) != 1 {
			t.Error("the mailbox was not asked")
		}
	})
	t.Run("old evidence asks the mailbox again", func(t *testing.T) {
		h.clock.set(start.Add(30 * 24 * time.Hour))
		o, err := renew(holder, nil)
		h.must(err)
		h.work()
		if o.State != order.Confirming || len(h.links(o.ID, order.ToConfirm)) != 1 {
			t.Errorf("it is %s", o.State)
		}
	})
	h.proveAudit()
}

// The evidence that a renewal rests on is named in its history, and evidence that had lapsed is not.
func TestRenewNamesTheEvidenceThatItRestsOn(t *testing.T) {
	h := newHouse(t)
	_, _ = h.confirmed("alice@example.com")
	h.clock.pass(25 * 24 * time.Hour)
	_, _ = h.confirmed("alice@example.com")
	h.clock.pass(10 * 24 * time.Hour)
	o, err := h.Renew(t.Context(), h.application("alice@example.com"))
	h.must(err)
	evidence, err := h.ledger.Evidence(t.Context(), o.Claims())
	h.must(err)
	list, err := h.ledger.AuditEntries(t.Context(), audit.Filter{Subject: o.Subject(), Limit: 100})
	h.must(err)
	var named []string
	for _, e := range list {
		if e.Action == "order.confirm" {
			named = append(named, e.Detail["evidence"])
		}
	}
	if len(evidence) != 2 || !slices.Equal(named, []string{evidence[0].ID}) {
		t.Errorf("named %v of %d", named, len(evidence))
	}
}

// An internationalised address gets its certificate with both name forms where they belong (RFC 9598).
func TestAnInternationalisedAddressIsCertified(t *testing.T) {
	h := newHouse(t)
	for _, to := range []string{"jürgen@bücher.example", "alice@bücher.example"} {
		o, done := h.confirmed(to)
		_, err := h.PickUp(t.Context(), done.Pickup, born(false))
		h.must(err)
		if c := h.certificates(o.ID); len(c) != 1 || c[0].Mailbox != o.Mailbox.String() {
			t.Errorf("%s: %+v", to, c)
		}
	}
}
