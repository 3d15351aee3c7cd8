// Package rules answers: which number holds on which day?
//
// Every dated figure of the S/MIME Baseline Requirements (SBR), of the TLS Baseline Requirements where the SBR
// import them, and of the house itself stands in one table (table.go) with its citation and the days between which
// it holds. Nothing outside this package writes such a number down: whoever needs one asks for it with the day
// it is needed for.
//
// Keys are of three kinds, so that asking for a period where a number of bits is meant does not compile.
package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Version names the text that the table follows; it is stored with every piece of evidence (SBR 3.2.2, BR-053).
const Version = "S/MIME BR 1.0.15"

// Period is the key of a figure that is a length of time.
type Period string

// Amount is the key of a figure that counts something: bits, perspectives, percent.
type Amount string

// Switch is the key of a rule that holds or does not hold on a day.
type Switch string

// Key is any of the three kinds of key.
type Key interface{ Period | Amount | Switch }

// Unit says what the value of a Figure counts.
type Unit string

// The units of the table. A Period is in Seconds, Hours or Days of 86 400 s; a Switch is 1 (on) or 0 (off).
const (
	Seconds Unit = "s"
	Hours   Unit = "h"
	Days    Unit = "d"
	Bits    Unit = "bit"
	Count   Unit = "count"
	Percent Unit = "percent"
	OnOff   Unit = "on/off"
)

// Figure is one number with where it comes from and when it holds.
type Figure struct {
	// Key is the name of the figure, as text.
	Key string
	// Value is counted in Unit.
	Value int64
	Unit  Unit
	// Citation is "SBR 4.2.1, BR-064", "TLS BR 3.2.2.4.7", or "house rule" with the reason.
	Citation string
	// From is the first moment (UTC) of validity; zero means since before there were rules.
	From time.Time
	// Until is the first moment (UTC) at which it no longer holds; zero means no end is known.
	Until time.Time
}

// Holds reports whether the figure holds at a moment.
func (f Figure) Holds(at time.Time) bool {
	return !at.Before(f.From) && (f.Until.IsZero() || at.Before(f.Until))
}

// Duration is the figure as a length of time, and 0 for a figure that is none.
func (f Figure) Duration() time.Duration {
	switch f.Unit {
	case Seconds:
		return time.Duration(f.Value) * time.Second
	case Hours:
		return time.Duration(f.Value) * time.Hour
	case Days:
		return time.Duration(f.Value) * 24 * time.Hour
	}
	return 0
}

// String is the figure for people: "825 d (SBR 6.3.2, BR-006)".
func (f Figure) String() string { return fmt.Sprintf("%d %s (%s)", f.Value, f.Unit, f.Citation) }

// Number returns the figure that holds for key at a moment. Every key declared in this package has one for every
// moment; for a string that is not such a key the zero Figure comes back.
func Number[K Key](key K, at time.Time) Figure {
	for _, f := range index[string(key)] {
		if f.Holds(at) {
			return f
		}
	}
	return Figure{}
}

// Duration returns the period that holds at a moment.
func Duration(key Period, at time.Time) time.Duration { return Number(key, at).Duration() }

// Int returns the amount that holds at a moment.
func Int(key Amount, at time.Time) int { return int(Number(key, at).Value) }

// On reports whether the rule holds at a moment.
func On(key Switch, at time.Time) bool { return Number(key, at).Value != 0 }

// All returns the whole table in order of key and day, for documents and for auditors.
func All() []Figure {
	all := slices.Clone(table)
	slices.SortStableFunc(all, func(a, b Figure) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return a.From.Compare(b.From)
	})
	return all
}

// index is the table by key; it never changes after the program starts.
var index = byKey(table)

func byKey(rows []Figure) map[string][]Figure {
	m := make(map[string][]Figure)
	for _, f := range rows {
		m[f.Key] = append(m[f.Key], f)
	}
	return m
}
