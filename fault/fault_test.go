package fault

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestWhatTheCallerIsToldNeverShowsTheCause(t *testing.T) {
	cause := errors.New("pq: password authentication failed for user secret")
	cases := map[string]struct {
		err      error
		kind     Kind
		code     string
		sentence string
	}{
		"a fault shows its sentence":                {Wrap(cause, Unavailable, "store.down", "The ledger does not answer."), Unavailable, "store.down", "The ledger does not answer."},
		"a wrapped fault is found":                  {fmt.Errorf("reading: %w", New(NotFound, "x.unknown", "There is no %s.", "x")), NotFound, "x.unknown", "There is no x."},
		"the outermost fault decides":               {Wrap(New(NotFound, "inner", "Inner."), Denied, "outer", "Outer."), Denied, "outer", "Outer."},
		"any other error is our own failure":        {cause, Internal, "internal", "Something went wrong on our side. Nothing was lost; please try again."},
		"a fault without a sentence says as little": {&Error{Kind: Invalid}, Invalid, "internal", "Something went wrong on our side. Nothing was lost; please try again."},
		"a joined fault is found":                   {errors.Join(cause, New(Gone, "link.used", "Used.")), Gone, "link.used", "Used."},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if KindOf(c.err) != c.kind || CodeOf(c.err) != c.code || Sentence(c.err) != c.sentence {
				t.Errorf("got %v, %q, %q", KindOf(c.err), CodeOf(c.err), Sentence(c.err))
			}
			if strings.Contains(Sentence(c.err), "secret") {
				t.Error("the sentence shows the cause")
			}
			if !Is(c.err, c.kind) || Is(nil, c.kind) {
				t.Error("Is does not agree with KindOf, or finds a kind in no error")
			}
		})
	}
	if err := Wrap(cause, Unavailable, "store.down", "The ledger does not answer."); !strings.Contains(err.Error(), "secret") || !errors.Is(err, cause) {
		t.Error("the log does not see the cause")
	}
}

func TestWithNamesAValueAndLeavesTheOriginalAlone(t *testing.T) {
	first := New(Refused, "order.state", "No.").With("state", "issued")
	second := first.With("event", "confirm")
	if len(first.Args) != 1 || second.Args["state"] != "issued" || second.Args["event"] != "confirm" {
		t.Errorf("got %v and %v", first.Args, second.Args)
	}
}

func TestEveryKindHasAName(t *testing.T) {
	seen := map[string]bool{}
	for k := Internal; k <= Unavailable; k++ {
		if seen[k.String()] {
			t.Errorf("two kinds are called %s", k)
		}
		seen[k.String()] = true
	}
	if Kind(200).String() != "internal" {
		t.Error("an unknown kind is not taken for our own failure")
	}
}
