// Package validation answers: is the claim true? There is one file for each method of proof.
package validation

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"chancery.example/approval"
	"chancery.example/fault"
	"chancery.example/mailbox"
	"chancery.example/rules"
)

// Sent is one confirmation mail with its random value, as the ledger knows it.
type Sent struct {
	Mail string    // the mail that carried the random value, and nothing else did (SBR 3.2.2.2)
	At   time.Time // when the random value was made
}

// ByEmail gives the evidence that a mailbox is controlled by whoever sent back the random value of a mail
// (SBR 3.2.2.2). The value must not be older than the rules of the day allow; origin names the order that it was
// gathered for. The evidence counts from the making of the value, since a validation must have begun within its
// reuse window (SBR 4.2.1).
func ByEmail(a mailbox.Address, sent Sent, confirmed time.Time, origin string) (approval.Evidence, error) {
	life := rules.Number(rules.MailboxRandomValueLife, confirmed)
	if confirmed.Before(sent.At) || confirmed.Sub(sent.At) >= life.Duration() {
		return approval.Evidence{}, fault.New(fault.Gone, "link.expired",
			"This link has expired: it may be followed for %d hours (%s). Ask for a new one; it is sent to the ordered mailbox.", int(life.Duration().Hours()), life.Citation)
	}
	var id [16]byte
	rand.Read(id[:])
	return approval.Evidence{
		ID:     "evd_" + hex.EncodeToString(id[:]),
		Claim:  approval.Claim{Kind: approval.Mailbox, Value: a.String()},
		Method: approval.MailboxByEmail,
		Rule:   rules.Version + ", 3.2.2.2",
		At:     sent.At,
		Origin: origin,
		Detail: map[string]string{"mail": sent.Mail, "confirmed": confirmed.Format(time.RFC3339)},
	}, nil
}
