package workflow_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"chancery.example/ca/ceremony"
	"chancery.example/ca/issuance"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

// nameless is an issuer whose certificates break RFC 5280 4.1.2.4, which only the lint sees.
var nameless = variant{issuer: func(i *issuance.Issuer) {
	c := *i.Certificate
	c.RawSubject = []byte{0x30, 0}
	i.Certificate = &c
}}

func TestACertificateThatTheLintRejectsEndsItsOrderWithTheReason(t *testing.T) {
	h := newHouse(t, nameless)
	o, done := h.confirmed("alice@example.com")
	_, err := h.PickUp(t.Context(), done.Pickup, workflow.Choice{Request: csr(t, newKey(t)), By: holder})
	mustBe(t, err, fault.Refused, "order.refused")
	got := h.order(o.ID)
	if got.State != order.Refused || len(got.Reasons) != 1 || got.Reasons[0].Code != "lint.e_issuer_field_empty" || got.Reasons[0].Rule == "" {
		t.Errorf("the order is %s because of %+v", got.State, got.Reasons)
	}
	if open, err := h.ledger.OpenIntents(t.Context()); err != nil || len(open) != 0 || len(h.certificates(o.ID)) != 0 {
		t.Errorf("something was intended: %v, %v", open, err)
	}
	if !slices.Contains(h.actions(o.ID), "order.refuse") {
		t.Errorf("the history is %v", h.actions(o.ID))
	}
	_, err = h.PickUp(t.Context(), done.Pickup, born(false))
	mustBe(t, err, fault.Conflict, "order.state-refused")
}

// A job has nobody to tell, so what forbids the certificate must stand in the order.
func TestAnIssuerThatHasEndedIsSaidInTheOrder(t *testing.T) {
	h := newHouse(t, variant{plan: func(p *ceremony.Plan) { p.IssuingValidity = 10 * 24 * time.Hour }})
	h.clock.set(start.Add(8 * 24 * time.Hour))
	a := h.application("alice@example.com")
	a.Request = csr(t, newKey(t))
	o, err := h.Submit(t.Context(), a)
	h.must(err)
	h.work()
	_, err = h.Confirm(t.Context(), h.link(o.ID, order.ToConfirm), true, holder)
	h.must(err)
	h.clock.set(start.Add(11 * 24 * time.Hour))
	if failed := h.work(); len(failed) != 0 {
		t.Errorf("the job failed instead: %v", failed)
	}
	got := h.order(o.ID)
	if got.State != order.Refused || len(got.Reasons) != 1 || got.Reasons[0].Code != "profile.issuer-expired" || !strings.Contains(got.Reasons[0].Text, "valid from") {
		t.Errorf("the order is %s because of %+v", got.State, got.Reasons)
	}
}

func TestAMailThatNeverCouldBeComposedIsSeenAsFailed(t *testing.T) {
	h := newHouse(t)
	o := h.submit("alice@example.com")
	h.ledger.failing(func(s workflow.Step) error {
		if slices.ContainsFunc(s.Moves, func(m order.Move) bool { return m.On == order.Inform }) {
			return errPower
		}
		return nil
	})
	for range 20 {
		h.work()
		h.clock.pass(6 * time.Hour)
	}
	h.ledger.failing(nil)
	list, err := h.ledger.Mails(t.Context(), notify.Filter{Order: string(o.ID), Limit: 10})
	h.must(err)
	if list[0].State != notify.Failed || list[0].LastError == "" || h.ledger.waiting(notify.Send) {
		t.Errorf("the mail is %+v", list[0])
	}
	if !slices.Contains(h.actions(o.ID), "mail.fail") {
		t.Errorf("the history is %v", h.actions(o.ID))
	}
}

func TestJobsWithArgumentsThatCannotBeReadAreGivenUp(t *testing.T) {
	h := newHouse(t)
	for kind, handle := range h.table {
		if err := handle(t.Context(), jobs.Attempt{Args: []byte(`{"order":7,"mail":7,"serial":7,"spki":7}`)}); !jobs.GivenUp(err) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for _, kind := range []jobs.Kind{workflow.IssueJob, notify.Send} { // about things that are not there
		if err := h.table[kind](t.Context(), jobs.Attempt{Args: []byte(`{"order":"ord_none","mail":"mail_none"}`)}); !fault.Is(err, fault.NotFound) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if err := h.table[workflow.SettleJob](t.Context(), jobs.Attempt{Args: []byte(`{"serial":"00"}`)}); err != nil {
		t.Errorf("an intent that is closed: %v", err)
	}
}
