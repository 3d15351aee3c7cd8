// Package audit answers: who did what and when, so that it can be proved?
//
// Every step of the house appends entries in its own transaction. Each entry carries the hash of the one
// before it, so that a changed, removed or inserted entry breaks the chain at a place that Verify names.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"time"
)

// ActorKind says what sort of actor did something.
type ActorKind string

// The kinds of actor.
const (
	System    ActorKind = "system"    // the house itself: a job, a schedule
	Person    ActorKind = "person"    // a signed-in account; the ID is the account's
	Applicant ActorKind = "applicant" // somebody without an account, e.g. the bearer of a link; the ID is the link's kind
	Program   ActorKind = "program"   // an API token; the ID is the token's
	Operator  ActorKind = "operator"  // somebody at the command line of the machine
)

// Actor is who did something. It is comparable.
type Actor struct {
	Kind ActorKind `json:"kind"`
	ID   string    `json:"id,omitempty"`
}

// String is "person/acc_x", or "system" where there is no ID.
func (a Actor) String() string {
	if a.ID == "" {
		return string(a.Kind)
	}
	return string(a.Kind) + "/" + a.ID
}

// Hash is the SHA-256 of an entry.
type Hash [sha256.Size]byte

func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Entry is one thing that happened. Seq, Prev and Hash are set when it is linked into the chain.
type Entry struct {
	Seq     int64             `json:"seq"`
	At      time.Time         `json:"at"`      // UTC, microseconds
	Actor   Actor             `json:"actor"`   // who
	Action  string            `json:"action"`  // what, as object.verb: "order.confirm", "certificate.revoke"
	Subject string            `json:"subject"` // to what, as kind/id: "order/ord_…", "certificate/3f…"
	Detail  map[string]string `json:"detail,omitempty"`
	Prev    Hash              `json:"-"`
	Hash    Hash              `json:"-"`
}

// New makes an unlinked entry. The instant is cut to microseconds, which every database keeps.
func New(at time.Time, by Actor, action, subject string, detail map[string]string) Entry {
	return Entry{At: at.UTC().Truncate(time.Microsecond), Actor: by, Action: action, Subject: subject, Detail: detail}
}

// Link returns e as the entry that follows prev. The first entry of a chain follows the zero Entry.
func Link(prev, e Entry) Entry {
	e.Seq = prev.Seq + 1
	e.At = e.At.UTC().Truncate(time.Microsecond)
	e.Prev = prev.Hash
	e.Hash = e.digest()
	return e
}

// digest is the SHA-256 of prev's hash followed by the entry as JSON; encoding/json sorts the keys of Detail,
// so that the same entry gives the same bytes on every database.
func (e Entry) digest() Hash {
	if len(e.Detail) == 0 {
		e.Detail = nil
	}
	body, err := json.Marshal(e)
	if err != nil { // strings, a time and an integer always marshal
		panic("audit: " + err.Error())
	}
	h := sha256.New()
	h.Write([]byte("chancery audit 1\n"))
	h.Write(e.Prev[:])
	h.Write(body)
	var out Hash
	h.Sum(out[:0])
	return out
}

// Head is where a chain ends: what the ledger says its last entry is.
type Head struct {
	Seq  int64 `json:"seq"`
	Hash Hash  `json:"-"`
}

// Proof is the outcome of Verify.
type Proof struct {
	Entries int64  // how many entries held
	Head    Head   // the last entry that held
	Broken  *Break // nil when the whole chain holds
}

// Break names the first entry that does not hold, and why.
type Break struct {
	Seq int64
	Why string
}

func (b *Break) String() string { return fmt.Sprintf("entry %d: %s", b.Seq, b.Why) }

// Verify reads a chain from its first entry and compares its end with head. Entries must come in the order of
// their numbers. A break of the chain is a result, not an error; the error is of reading.
func Verify(entries iter.Seq2[Entry, error], head Head) (Proof, error) {
	var p Proof
	var prev Entry
	for e, err := range entries {
		if err != nil {
			return p, err
		}
		if why := follows(prev, e); why != "" {
			p.Broken = &Break{Seq: prev.Seq + 1, Why: why}
			return p, nil
		}
		prev = e
		p.Entries++
		p.Head = Head{Seq: e.Seq, Hash: e.Hash}
	}
	if p.Head.Seq != head.Seq || !bytes.Equal(p.Head.Hash[:], head.Hash[:]) {
		p.Broken = &Break{Seq: p.Head.Seq + 1, Why: fmt.Sprintf("the ledger's head is entry %d, the log ends at %d: entries at the end were removed or added", head.Seq, p.Head.Seq)}
	}
	return p, nil
}

func follows(prev, e Entry) string {
	switch {
	case e.Seq != prev.Seq+1:
		return fmt.Sprintf("missing: the next entry found is %d", e.Seq)
	case e.Prev != prev.Hash:
		return "does not name the entry before it: that one was changed, or this one put in its place"
	case e.Hash != e.digest():
		return "was changed after it was written"
	}
	return ""
}

// Filter chooses entries for a list, newest first.
type Filter struct {
	Text    string // part of the action, the actor or the subject; empty for all
	Subject string // exactly this subject; empty for all
	Before  int64  // entries older than this number; 0 for the newest
	Limit   int    // 1 to 500
}

// Upto leaves out what was appended after head was read, so that a log can be proved while the house runs.
func Upto(entries iter.Seq2[Entry, error], head Head) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for e, err := range entries {
			if err == nil && e.Seq > head.Seq || !yield(e, err) {
				return
			}
		}
	}
}
