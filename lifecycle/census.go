package lifecycle

import (
	"time"

	"chancery.example/ra/order"
)

// Census is how many of what there are, at an instant.
type Census struct {
	At     time.Time
	Orders map[order.State]int // by stored state, expired ones counted as such
	// Certificates of subscribers.
	Valid, Revoked, Ended int
	// Expiring counts valid certificates by the week in which they end, from this week on, 53 weeks.
	Expiring [53]int
	// IssuedByDay and RevokedByDay count the last 30 days, today last.
	IssuedByDay, RevokedByDay [30]int
	// MailsWaiting and MailsFailed are of the last 30 days.
	MailsWaiting, MailsFailed int
	// JobsWaiting are due and not done; JobsFailed were given up in the last 30 days.
	JobsWaiting, JobsFailed int
}
