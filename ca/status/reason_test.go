package status

import (
	"slices"
	"strings"
	"testing"

	"chancery.example/fault"
)

func TestReasonsAreReadByTheirNames(t *testing.T) {
	for r := range reasonNames {
		if got, err := ParseReason(r.String()); err != nil || got != r {
			t.Errorf("%v: %v, %v", r, got, err)
		}
	}
	cases := map[string]struct {
		in   string
		want Reason
		kind fault.Kind
	}{
		"the name of RFC 5280":                   {"keyCompromise", KeyCompromise, 0},
		"in capitals":                            {"SUPERSEDED", Superseded, 0},
		"hold is refused":                        {"certificateHold", 0, fault.Refused},
		"hold is refused in our own spelling":    {"certificate-hold", 0, fault.Refused},
		"a revocation is not taken back":         {"removeFromCRL", 0, fault.Refused},
		"attribute authorities there are none":   {"aACompromise", 0, fault.Refused},
		"a word that is none":                    {"boredom", 0, fault.Invalid},
		"nothing":                                {"", 0, fault.Invalid},
		"a number, which would invite a mistake": {"1", 0, fault.Invalid},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseReason(c.in)
			if c.kind != 0 {
				if !fault.Is(err, c.kind) || !strings.HasSuffix(fault.Sentence(err), ".") {
					t.Errorf("%v, %v", got, err)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

func TestWhoMayGiveWhichReason(t *testing.T) {
	cases := map[string]struct {
		by   Revoker
		r    Reason
		want bool
	}{
		"a subscriber whose key was stolen":           {Subscriber, KeyCompromise, true},
		"a subscriber who gives no reason":            {Subscriber, Unspecified, true},
		"a subscriber cannot withdraw the privilege":  {Subscriber, PrivilegeWithdrawn, false},
		"a specialist can":                            {Specialist, PrivilegeWithdrawn, true},
		"no person says that a CA key is compromised": {Specialist, CACompromise, false},
		"the house does, of a CA certificate":         {House, CACompromise, true},
		"nobody uses a code that there is not":        {House, Reason(6), false},
		"a stranger to the table may nothing":         {Revoker(9), Superseded, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if err := Permit(c.by, c.r); (err == nil) != c.want || err != nil && !fault.Is(err, fault.Denied) {
				t.Errorf("%v", err)
			}
			if slices.Contains(Reasons(c.by), c.r) != c.want {
				t.Error("the list says otherwise")
			}
		})
	}
}
