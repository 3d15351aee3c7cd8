package order

// State is how far an order is. Expired is never stored: it is computed from time (Order.StateAt).
type State string

// The states of an order.
const (
	New        State = ""           // not submitted yet; never stored
	Confirming State = "confirming" // waits for the mailbox to confirm
	Proved     State = "proved"     // every claim has evidence; waits for the verdict
	Approved   State = "approved"   // waits to be picked up by its holder
	Issuing    State = "issuing"    // the intent is recorded, the certificate is being signed
	Issued     State = "issued"     // signed and recorded; the holder has not said yet that it arrived
	Delivered  State = "delivered"  // the holder has it
	Revoked    State = "revoked"    // its certificate was revoked; nothing can be picked up any more
	Refused    State = "refused"    // the verdict was no
	Cancelled  State = "cancelled"  // somebody entitled ended it before issuance
	Expired    State = "expired"    // nobody did what was next in time
)

// Event is what moves an order.
type Event string

// The events of an order's path.
const (
	Submit  Event = "submit"  // the applicant asked, and accepted the agreement
	Inform  Event = "inform"  // a mail with fresh links was composed
	Confirm Event = "confirm" // the mailbox confirmed: evidence
	Approve Event = "approve" // the verdict is yes
	Refuse  Event = "refuse"  // the verdict is no
	Prepare Event = "prepare" // the certificate was prepared and linted; the intent is recorded
	Issue   Event = "issue"   // signed and recorded
	Abandon Event = "abandon" // an intent whose key is lost was closed; its serial number counts as revoked
	Repeat  Event = "repeat"  // picked up again after an interrupted download: the first certificate is revoked
	Receive Event = "receive" // the holder said that it arrived
	Revoke  Event = "revoke"  // the certificate was revoked, for good
	Cancel  Event = "cancel"  // ended before issuance
)

// Move is one row of the path.
type Move struct {
	From State
	On   Event
	To   State
}

// Path is the whole path of an order: no row, no move. The diagram in docs/path.md is generated from it, and
// the kill tests have a case for each row.
var Path = []Move{
	{New, Submit, Confirming},
	{Confirming, Inform, Confirming},
	{Confirming, Confirm, Proved},
	{Confirming, Cancel, Cancelled},
	{Proved, Approve, Approved},
	{Approved, Inform, Approved},
	{Approved, Prepare, Issuing},
	{Approved, Refuse, Refused},
	{Approved, Cancel, Cancelled},
	{Issuing, Issue, Issued},
	{Issuing, Abandon, Approved},
	{Issued, Inform, Issued},
	{Issued, Repeat, Issuing},
	{Issued, Receive, Delivered},
	{Issued, Revoke, Revoked},
	{Delivered, Inform, Delivered},
	{Delivered, Revoke, Revoked},
	{Revoked, Inform, Revoked},
}

// Next returns where an event leads from a state, and false where the path has no such move.
func Next(from State, on Event) (State, bool) {
	for _, m := range Path {
		if m.From == from && m.On == on {
			return m.To, true
		}
	}
	return from, false
}

// Ended reports whether nothing more can happen to an order in this state before its certificate's end.
func (s State) Ended() bool {
	return s == Delivered || s == Revoked || s == Refused || s == Cancelled || s == Expired
}
