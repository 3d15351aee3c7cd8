package workflow_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chancery.example/approval"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/rules"
)

// runs numbers the runs of the property, so that each has a mailbox of its own in the one house.
var runs int

// walk is one random life of a mailbox.
type walk struct {
	*house
	rt     *rapid.T
	to     string
	orders []order.ID
	// made are when intents were prepared, by serial number.
	made map[issuance.Serial]time.Time
}

// Whatever happens in whatever order: no certificate without live evidence, no order without somebody who must act next unless
// it ended, no two good certificates of one order, and the audit chain holds.
func TestNoRandomLifeBreaksThePath(t *testing.T) {
	h := newHouse(t)
	key := newKey(t)
	reuse := rules.Duration(rules.MailboxEvidenceReuse, start)
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		h.clock.set(start)
		h.ledger.mu.Lock()
		h.ledger.jobs, h.ledger.fails = nil, nil
		h.ledger.mu.Unlock()
		w := &walk{house: h, rt: rt, to: fmt.Sprintf("u%d@example.com", runs), made: map[issuance.Serial]time.Time{}}
		h.ledger.failing(func(s workflow.Step) error {
			if s.Intent != nil {
				w.made[s.Intent.Serial] = h.clock.Now()
			}
			return nil
		})
		rt.Repeat(map[string]func(*rapid.T){
			"time passes": func(rt *rapid.T) {
				h.clock.pass(rapid.SampledFrom([]time.Duration{time.Minute, 3 * time.Minute, 11 * time.Minute, 23 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, 29 * 24 * time.Hour}).Draw(rt, "for"))
			},
			"jobs run": func(*rapid.T) { h.work() },
			"ordered": func(rt *rapid.T) {
				if len(w.orders) < 3 {
					a := h.application(w.to)
					if rapid.Bool().Draw(rt, "with a request") {
						a.Request = csr(t, key, w.to)
					}
					o, err := h.Submit(t.Context(), a)
					w.add(o, err)
				}
			},
			"renewed": func(rt *rapid.T) {
				if len(w.orders) > 0 && len(w.orders) < 5 {
					o, err := h.Renew(t.Context(), h.application(w.to))
					w.add(o, err)
				}
			},
			"another mail is asked for": func(rt *rapid.T) {
				w.some(rt, func(id order.ID) error {
					if rapid.Bool().Draw(rt, "for pick-up") {
						return h.AskPickup(t.Context(), id, holder)
					}
					return h.Resend(t.Context(), id, holder)
				})
			},
			"a confirmation link is followed": func(rt *rapid.T) {
				w.follow(rt, order.ToConfirm, func(s order.Secret) error {
					_, err := h.Confirm(t.Context(), s, true, holder)
					return err
				})
			},
			"a pick-up link is followed": func(rt *rapid.T) {
				w.follow(rt, order.ToPickup, func(s order.Secret) error {
					_, err := h.PickUp(t.Context(), s, workflow.Choice{Request: csr(t, key), Again: rapid.Bool().Draw(rt, "again"), By: holder})
					return err
				})
			},
			"the power goes while a certificate is recorded": func(rt *rapid.T) {
				h.ledger.failing(func(s workflow.Step) error {
					if s.Intent != nil {
						w.made[s.Intent.Serial] = h.clock.Now()
					}
					if s.Issued != nil {
						return fault.New(fault.Unavailable, "store.not-stored", "The power is gone.")
					}
					return nil
				})
				w.follow(rt, order.ToPickup, func(s order.Secret) error {
					_, err := h.PickUp(t.Context(), s, workflow.Choice{Request: csr(t, key), Again: true, By: holder})
					return err
				})
				h.ledger.failing(func(s workflow.Step) error {
					if s.Intent != nil {
						w.made[s.Intent.Serial] = h.clock.Now()
					}
					return nil
				})
			},
			"cancelled": func(rt *rapid.T) {
				w.some(rt, func(id order.ID) error { return h.Cancel(t.Context(), id, "", holder) })
			},
			"revoked": func(rt *rapid.T) {
				w.some(rt, func(id order.ID) error {
					certs := w.certificates(id)
					if len(certs) == 0 {
						return nil
					}
					return h.Revoke(t.Context(), rapid.SampledFrom(certs).Draw(rt, "certificate").Serial, status.Superseded, holder)
				})
			},
			"received": func(rt *rapid.T) {
				w.some(rt, func(id order.ID) error { return h.Receive(t.Context(), id, holder) })
			},
			"": func(rt *rapid.T) { w.check(rt, reuse) },
		})
	})
	h.ledger.failing(nil)
	h.proveAudit()
}

// add remembers an order that was taken.
func (w *walk) add(o order.Order, err error) {
	if err != nil {
		w.rt.Fatalf("an order was not taken: %v", err)
	}
	w.orders = append(w.orders, o.ID)
}

// some does something to one of the orders. It may be refused, but never for a reason that is our own failure.
func (w *walk) some(rt *rapid.T, f func(order.ID) error) {
	if len(w.orders) == 0 {
		return
	}
	w.answered(rt, f(rapid.SampledFrom(w.orders).Draw(rt, "order")))
}

// follow follows one of the links of a kind that were ever mailed.
func (w *walk) follow(rt *rapid.T, p order.Purpose, f func(order.Secret) error) {
	var all []order.Secret
	for _, id := range w.orders {
		all = append(all, w.links(id, p)...)
	}
	if len(all) > 0 {
		w.answered(rt, f(all[rapid.IntRange(0, len(all)-1).Draw(rt, "link")]))
	}
}

func (w *walk) answered(rt *rapid.T, err error) {
	if err != nil && (fault.Is(err, fault.Internal) || fault.CodeOf(err) == workflow.StaleCode) {
		rt.Fatalf("no answer for a person: %v", err)
	}
}

// check holds the promises against what the ledger says.
func (w *walk) check(rt *rapid.T, reuse time.Duration) {
	ctx := w.t.Context()
	open, err := w.ledger.OpenIntents(ctx)
	if err != nil {
		rt.Fatal(err)
	}
	evidence, err := w.ledger.Evidence(ctx, []approval.Claim{{Kind: approval.Mailbox, Value: w.to}})
	if err != nil {
		rt.Fatal(err)
	}
	for _, id := range w.orders {
		o, err := w.ledger.Order(ctx, id)
		if err != nil {
			rt.Fatal(err)
		}
		good := 0
		for _, c := range w.certificates(id) {
			at, known := w.made[c.Serial]
			live := false
			for _, e := range evidence {
				live = live || !e.At.After(at) && at.Before(e.At.Add(reuse))
			}
			if !known || !live {
				rt.Fatalf("the certificate %s was made at %v without live evidence (%d pieces)", c.Serial, at, len(evidence))
			}
			if !w.revoked(c) {
				good++
			}
		}
		if good > 0 && o.State == order.Revoked {
			rt.Fatalf("%s is revoked and has a good certificate", id)
		}
		if good > 1 {
			rt.Fatalf("%s has %d good certificates", id, good)
		}
		w.checkNext(rt, o, open)
	}
}

// checkNext holds that somebody can act on an order that has not ended.
func (w *walk) checkNext(rt *rapid.T, o order.Order, open []issuance.Intent) {
	switch at := o.StateAt(w.clock.Now()); at {
	case order.Delivered, order.Revoked, order.Refused, order.Cancelled, order.Expired:
		if !at.Ended() {
			rt.Fatalf("%s has not ended", at)
		}
	case order.Confirming: // the mailbox: a mail waits, left, failed visibly, or can be asked for
		mails, err := w.ledger.Mails(w.t.Context(), notify.Filter{Order: string(o.ID), Limit: 1})
		if err != nil || len(mails) == 0 {
			rt.Fatalf("nobody wrote to the mailbox of %s: %v", o.ID, err)
		}
	case order.Approved: // the holder, or the job
		if len(o.Request) > 0 && !w.ledger.waiting(workflow.IssueJob) {
			rt.Fatalf("nobody makes the certificate of %s", o.ID)
		}
	case order.Issuing:
		found := false
		for _, i := range open {
			found = found || string(i.Serial) == o.Serial && i.Order == string(o.ID)
		}
		if !found || !w.ledger.waiting(workflow.SettleJob) {
			rt.Fatalf("%s is issuing, and nobody will settle it", o.ID)
		}
	case order.Issued:
		if len(w.certificates(o.ID)) == 0 {
			rt.Fatalf("%s is issued without a certificate", o.ID)
		}
	default:
		rt.Fatalf("%s rests in the state %q", o.ID, at)
	}
}
