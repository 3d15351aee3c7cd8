// Package order answers: what was asked for, and how far is it?
//
// An Order is a value. Its path is the table in path.go; Advance is the only way along it.
package order

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
	"time"

	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/mailbox"
	"chancery.example/rules"
)

// ID identifies an order: "ord_" and 26 characters.
type ID string

var enc = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewID returns a fresh random identifier.
func NewID() ID {
	var b [16]byte
	rand.Read(b[:])
	return ID("ord_" + enc.EncodeToString(b[:]))
}

// Valid reports whether s has the form of an identifier.
func (id ID) Valid() bool {
	s, ok := strings.CutPrefix(string(id), "ord_")
	return ok && len(s) == 26
}

// Order is what was asked for.
type Order struct {
	ID      ID
	Version int64 // counts the commits; the ledger refuses a change that was made from an older one
	State   State
	Mailbox mailbox.Address
	Profile string // the name of a certificate profile, "mv-strict"
	// Language is of mails and pages for the holder, as a BCP 47 tag: "en", "de".
	Language  string
	Agreement approval.Agreement
	By        audit.Actor // who ordered
	// Request is the PKCS#10 request in DER that was handed in with the order, and empty where the key is to be
	// born at pick-up.
	Request []byte
	// Renews and Replaces are serial numbers in hex; empty where nothing is renewed.
	Renews string
	// Serial is the certificate's serial number in hex, from Prepare on.
	Serial      string
	CreatedAt   time.Time
	ApprovedAt  time.Time
	DeliveredAt time.Time
	// Reasons says why it was refused or cancelled.
	Reasons []approval.Reason
}

// Claims are the facts that the order's certificate would state.
func (o Order) Claims() []approval.Claim {
	return []approval.Claim{{Kind: approval.Mailbox, Value: o.Mailbox.String()}}
}

// Subject is the order's name in the audit log.
func (o Order) Subject() string { return "order/" + string(o.ID) }

// Deadline is until when the next actor must act, and the zero time where nobody must.
func (o Order) Deadline() time.Time {
	switch o.State {
	case Confirming, Proved:
		return o.CreatedAt.Add(rules.Duration(rules.OrderWindow, o.CreatedAt))
	case Approved:
		return o.ApprovedAt.Add(rules.Duration(rules.PickUpWindow, o.ApprovedAt))
	}
	return time.Time{}
}

// StateAt is the state as it is at an instant: an order whose deadline has passed is expired.
func (o Order) StateAt(now time.Time) State {
	if d := o.Deadline(); !d.IsZero() && !now.Before(d) {
		return Expired
	}
	return o.State
}

// Advance returns the order after an event, or fault.Conflict when the path has no such move from where it is.
func (o Order) Advance(on Event, now time.Time) (Order, error) {
	at := o.StateAt(now)
	to, ok := Next(at, on)
	if !ok {
		return o, conflict(at, on)
	}
	o.State = to
	switch on {
	case Submit:
		o.CreatedAt = now
	case Approve:
		o.ApprovedAt = now
	case Receive:
		o.DeliveredAt = now
	case Abandon:
		o.Serial = ""
	}
	return o, nil
}

// conflict says in plain words why an event does not fit a state.
func conflict(at State, on Event) error {
	e := fault.New(fault.Conflict, "order.state-"+string(at), "%s", stateSentences[at])
	return e.With("state", string(at)).With("event", string(on))
}

var stateSentences = map[State]string{
	New:        "This order has not been submitted.",
	Confirming: "This order still waits for the mailbox to be confirmed: open the link in the mail that we sent.",
	Proved:     "This order waits for its verdict.",
	Approved:   "This order is approved: ask for a pick-up link and fetch the certificate.",
	Issuing:    "The certificate of this order is just being made. Please wait a moment and look again.",
	Issued:     "The certificate of this order has already been made.",
	Delivered:  "This order is complete: its certificate was picked up. To get another, renew it.",
	Revoked:    "The certificate of this order was revoked. Place a new order if you still need one.",
	Refused:    "This order was refused. Place a new one if the reason has been mended.",
	Cancelled:  "This order was cancelled. Place a new one if you still need a certificate.",
	Expired:    "This order has expired because its next step was not done in time. Please place a new one.",
}

// Filter chooses orders for a list, newest first.
type Filter struct {
	Text  string // part of the address or of the ID; empty for all
	State State  // as stored; empty for all
	// Mailbox is exactly this address; none for all.
	Mailbox mailbox.Address
	After   ID  // the last ID of the page before; empty for the first page
	Limit   int // 1 to 500
}

// Within refuses with fault.Conflict when the order, as it is at an instant, is in none of these states.
func (o Order) Within(now time.Time, states ...State) error {
	at := o.StateAt(now)
	for _, s := range states {
		if s == at {
			return nil
		}
	}
	return conflict(at, Inform)
}
