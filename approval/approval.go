// Package approval answers: who said yes, on which evidence, by which rule?
//
// It holds the types that the registration authority and the certification authority both speak. A Verdict can
// only be made by Judge; its zero value refuses. After a restart it is judged again from the ledger's evidence,
// never restored from bytes.
package approval

import (
	"fmt"
	"slices"
	"time"

	"chancery.example/rules"
)

// ClaimKind is what sort of fact a claim states.
type ClaimKind string

// Mailbox claims that the holder controls a mailbox; the value is the address in its stored form.
const Mailbox ClaimKind = "mailbox"

// Claim is a fact that a certificate would state.
type Claim struct {
	Kind  ClaimKind `json:"kind"`
	Value string    `json:"value"`
}

// Method is a way of proving a claim.
type Method string

// MailboxByEmail is a random value sent to exactly the mailbox and confirmed from there (SBR 3.2.2.2).
const MailboxByEmail Method = "mailbox-by-email"

// Evidence is how a claim was proved, by which method, when.
type Evidence struct {
	ID     string            `json:"id"`
	Claim  Claim             `json:"claim"`
	Method Method            `json:"method"`
	Rule   string            `json:"rule"` // the method's citation with the version of the rules (SBR 3.2.2: must be kept)
	At     time.Time         `json:"at"`   // when the proof was begun; reuse windows count from here
	Origin string            `json:"origin"`
	Detail map[string]string `json:"detail,omitempty"`
}

// Agreement is the acceptance of a versioned text (SBR 9.6.3).
type Agreement struct {
	Version  string    `json:"version"`
	Language string    `json:"language"`
	SHA256   string    `json:"sha256"` // lower-case hex of the text as it was shown
	At       time.Time `json:"at"`
	By       string    `json:"by"` // the actor who accepted
}

// Case is what Judge decides upon.
type Case struct {
	Claims    []Claim
	Evidence  []Evidence
	Agreement Agreement
}

// Reason is one cause of a refusal, fit to be shown.
type Reason struct {
	Code string `json:"code"`
	Text string `json:"text"`
	Rule string `json:"rule"`
}

// Verdict is yes or no on a set of claims. Only Judge makes one that says yes.
type Verdict struct {
	allowed  bool
	claims   []Claim
	evidence []string
	at       time.Time
	until    time.Time
	reasons  []Reason
}

// Allowed reports whether the claims may be certified at an instant. The zero Verdict never allows, and no
// verdict does before it was given or after its oldest evidence lapses.
func (v Verdict) Allowed(at time.Time) bool {
	return v.allowed && !at.Before(v.at) && at.Before(v.until)
}

// Claims returns the claims that were judged.
func (v Verdict) Claims() []Claim { return slices.Clone(v.claims) }

// Holds reports whether the verdict covers a claim.
func (v Verdict) Holds(c Claim) bool { return v.allowed && slices.Contains(v.claims, c) }

// Evidence returns the IDs of the evidence it rests on.
func (v Verdict) Evidence() []string { return slices.Clone(v.evidence) }

// Until is when the first piece of evidence lapses.
func (v Verdict) Until() time.Time { return v.until }

// Reasons says why the answer is no; it is empty when the answer is yes.
func (v Verdict) Reasons() []Reason { return slices.Clone(v.reasons) }

// Judge decides a case at an instant: every claim needs live evidence by a method that proves its kind, and the
// agreement must have been accepted.
func Judge(c Case, at time.Time) Verdict {
	v := Verdict{claims: slices.Clone(c.Claims), at: at}
	if len(c.Claims) == 0 {
		v.refuse("no-claims", "There is nothing to certify: the order names no mailbox.", "SBR 4.1.2")
	}
	if c.Agreement.SHA256 == "" || c.Agreement.At.IsZero() || c.Agreement.At.After(at) {
		v.refuse("no-agreement", "The subscriber agreement has not been accepted.", "SBR 9.6.3")
	}
	for _, claim := range c.Claims {
		v.weigh(claim, c.Evidence, at)
	}
	v.allowed = len(v.reasons) == 0
	return v
}

// weigh finds the youngest live evidence for a claim.
func (v *Verdict) weigh(claim Claim, evidence []Evidence, at time.Time) {
	var best Evidence
	var until time.Time
	for _, e := range evidence {
		if e.Claim != claim || e.At.After(at) {
			continue
		}
		if lapses, ok := Lapses(e, at); ok && lapses.After(at) && lapses.After(until) {
			best, until = e, lapses
		}
	}
	if best.ID == "" {
		v.refuse("no-evidence", fmt.Sprintf("Nothing that is still fresh proves the %s %s.", claim.Kind, claim.Value), "SBR 3.2.2, 4.2.1")
		return
	}
	v.evidence = append(v.evidence, best.ID)
	if v.until.IsZero() || until.Before(v.until) {
		v.until = until
	}
}

func (v *Verdict) refuse(code, text, rule string) {
	v.reasons = append(v.reasons, Reason{Code: code, Text: text, Rule: rule})
}

// Lapses returns until when a piece of evidence may be used, by the rules of the day (SBR 4.2.1), and false
// where its method proves nothing of its claim's kind.
func Lapses(e Evidence, at time.Time) (time.Time, bool) {
	if e.Claim.Kind == Mailbox && e.Method == MailboxByEmail {
		return e.At.Add(rules.Duration(rules.MailboxEvidenceReuse, at)), true
	}
	return time.Time{}, false
}
