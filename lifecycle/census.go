package lifecycle

import (
	"time"

	"chancery.example/ra/order"
)

// Census is how many of what there are, at an instant.
type Census struct {
	At     time.Time           `json:"at"`
	Orders map[order.State]int `json:"orders"` // by stored state, expired ones counted as such
	// Certificates of subscribers.
	Valid   int `json:"valid"`
	Revoked int `json:"revoked"`
	Ended   int `json:"ended"`
	// Expiring counts valid certificates by the week in which they end, from this week on, 53 weeks.
	Expiring [53]int `json:"expiring_by_week"`
	// IssuedByDay and RevokedByDay count the last 30 days, today last.
	IssuedByDay  [30]int `json:"issued_by_day"`
	RevokedByDay [30]int `json:"revoked_by_day"`
	// MailsWaiting and MailsFailed are of the last 30 days.
	MailsWaiting int `json:"mails_waiting"`
	MailsFailed  int `json:"mails_failed"`
	// JobsWaiting are due and not done; JobsFailed were given up in the last 30 days.
	JobsWaiting int `json:"jobs_waiting"`
	JobsFailed  int `json:"jobs_failed"`
}
