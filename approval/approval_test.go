package approval

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"chancery.example/rules"
)

var (
	now   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	reuse = rules.Duration(rules.MailboxEvidenceReuse, now)
	alice = Claim{Kind: Mailbox, Value: "alice@example.com"}
	bob   = Claim{Kind: Mailbox, Value: "bob@example.com"}
)

// proof is evidence of a mailbox that was begun some time before now.
func proof(id string, c Claim, age time.Duration) Evidence {
	return Evidence{ID: id, Claim: c, Method: MailboxByEmail, Rule: "3.2.2.2", At: now.Add(-age)}
}

func accepted() Agreement {
	return Agreement{Version: "1", Language: "en", SHA256: strings.Repeat("a", 64), At: now.Add(-time.Hour), By: "applicant"}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Case)
		codes  []string // of the refusal; empty when it is allowed
	}{
		{"fresh evidence and an accepted agreement allow", func(*Case) {}, nil},
		{"an order without a mailbox has nothing to certify", func(c *Case) { c.Claims = nil }, []string{"no-claims"}},
		{"an agreement that was never accepted refuses", func(c *Case) { c.Agreement = Agreement{} }, []string{"no-agreement"}},
		{"an agreement without the hash of its text refuses", func(c *Case) { c.Agreement.SHA256 = "" }, []string{"no-agreement"}},
		{"an agreement that will be accepted tomorrow refuses", func(c *Case) { c.Agreement.At = now.Add(24 * time.Hour) }, []string{"no-agreement"}},
		{"an agreement that is accepted at this moment allows", func(c *Case) { c.Agreement.At = now }, nil},
		{"no evidence refuses", func(c *Case) { c.Evidence = nil }, []string{"no-evidence"}},
		{"evidence that is too old refuses", func(c *Case) { c.Evidence = []Evidence{proof("1", alice, reuse+time.Hour)} }, []string{"no-evidence"}},
		{"evidence lapses at the end of its window, to the microsecond", func(c *Case) { c.Evidence = []Evidence{proof("1", alice, reuse)} }, []string{"no-evidence"}},
		{"evidence lives until the last microsecond of its window", func(c *Case) { c.Evidence = []Evidence{proof("1", alice, reuse-time.Microsecond)} }, nil},
		{"evidence from the future refuses", func(c *Case) { c.Evidence = []Evidence{proof("1", alice, -time.Microsecond)} }, []string{"no-evidence"}},
		{"evidence of this very moment allows", func(c *Case) { c.Evidence = []Evidence{proof("1", alice, 0)} }, nil},
		{"evidence by a method that proves no mailbox refuses", func(c *Case) { c.Evidence[0].Method = "register-lookup" }, []string{"no-evidence"}},
		{"evidence without a method refuses", func(c *Case) { c.Evidence[0].Method = "" }, []string{"no-evidence"}},
		{"evidence for another mailbox refuses", func(c *Case) { c.Evidence = []Evidence{proof("1", bob, time.Hour)} }, []string{"no-evidence"}},
		{"evidence for the same text as another kind of claim refuses", func(c *Case) { c.Evidence[0].Claim.Kind = "organisation" }, []string{"no-evidence"}},
		{"a claim of a kind that no method proves refuses", func(c *Case) {
			c.Claims[0].Kind = "organisation"
			c.Evidence[0].Claim.Kind = "organisation"
		}, []string{"no-evidence"}},
		{"evidence without an ID cannot be named in a record and refuses", func(c *Case) { c.Evidence[0].ID = "" }, []string{"no-evidence"}},
		{"one of two mailboxes without evidence refuses both", func(c *Case) { c.Claims = append(c.Claims, bob) }, []string{"no-evidence"}},
		{"two mailboxes with evidence each are allowed", func(c *Case) {
			c.Claims = append(c.Claims, bob)
			c.Evidence = append(c.Evidence, proof("2", bob, time.Minute))
		}, nil},
		{"everything that is missing is named", func(c *Case) { c.Agreement, c.Evidence = Agreement{}, nil }, []string{"no-agreement", "no-evidence"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := Case{Claims: []Claim{alice}, Evidence: []Evidence{proof("1", alice, time.Hour)}, Agreement: accepted()}
			c.change(&in)
			v := Judge(in, now)
			var codes []string
			for _, r := range v.Reasons() {
				codes = append(codes, r.Code)
				if r.Text == "" || !strings.HasPrefix(r.Rule, "SBR ") {
					t.Errorf("the reason %q says too little: %+v", r.Code, r)
				}
			}
			if !slices.Equal(codes, c.codes) {
				t.Errorf("reasons are %v, want %v", codes, c.codes)
			}
			allowed := len(c.codes) == 0
			if v.Allowed(now) != allowed {
				t.Errorf("allowed is %v", !allowed)
			}
			for _, claim := range in.Claims {
				if v.Holds(claim) != allowed {
					t.Errorf("holds %v is %v", claim, !allowed)
				}
			}
		})
	}
}

func TestZeroVerdictRefuses(t *testing.T) {
	var v Verdict
	for _, at := range []time.Time{{}, now, time.Unix(0, 0)} {
		if v.Allowed(at) {
			t.Errorf("the zero verdict allows at %v", at)
		}
	}
	if v.Holds(alice) || v.Holds(Claim{}) {
		t.Error("the zero verdict holds a claim")
	}
}

func TestVerdictLapsesWithItsOldestEvidence(t *testing.T) {
	v := Judge(Case{Claims: []Claim{alice, bob}, Agreement: accepted(), Evidence: []Evidence{
		proof("old", alice, 20*24*time.Hour), proof("young", alice, 10*24*time.Hour), proof("bob", bob, 15*24*time.Hour)}}, now)
	if want := []string{"young", "bob"}; !slices.Equal(v.Evidence(), want) {
		t.Errorf("rests on %v, want the youngest for each claim: %v", v.Evidence(), want)
	}
	if want := now.Add(reuse - 15*24*time.Hour); !v.Until().Equal(want) {
		t.Errorf("holds until %v, want %v", v.Until(), want)
	}
	for at, want := range map[time.Time]bool{
		now: true, v.Until().Add(-time.Microsecond): true,
		now.Add(-time.Microsecond): false, v.Until(): false, v.Until().Add(time.Hour): false,
	} {
		if v.Allowed(at) != want {
			t.Errorf("allowed at %v is %v", at, !want)
		}
	}
}

func TestVerdictCannotBeWidenedThroughWhatItReturns(t *testing.T) {
	in := Case{Claims: []Claim{alice}, Evidence: []Evidence{proof("1", alice, time.Hour)}, Agreement: accepted()}
	v := Judge(in, now)
	in.Claims[0] = bob
	v.Claims()[0] = bob
	if v.Holds(bob) || !v.Holds(alice) {
		t.Error("the claims of a verdict were changed from outside")
	}
}

// Whatever evidence lies there, at whatever ages: a claim is allowed only while one piece of it, for this very claim, by
// a method that proves it, has begun and not lapsed.
func TestNothingIsAllowedWithoutLiveEvidence(t *testing.T) {
	claims := []Claim{alice, bob, {Kind: "organisation", Value: "alice@example.com"}, {Kind: Mailbox, Value: "Alice@example.com"}}
	rapid.Check(t, func(t *rapid.T) {
		micros := rapid.Int64Range(-int64(40*24*time.Hour/time.Microsecond), int64(40*24*time.Hour/time.Microsecond))
		near := rapid.SampledFrom([]time.Duration{0, time.Microsecond, -time.Microsecond, reuse, reuse - time.Microsecond, reuse + time.Microsecond})
		moment := func(name string) time.Time {
			if rapid.Bool().Draw(t, name+" near an edge") {
				return now.Add(-near.Draw(t, name))
			}
			return now.Add(time.Duration(micros.Draw(t, name)) * time.Microsecond)
		}
		in := Case{Claims: rapid.SliceOfN(rapid.SampledFrom(claims), 1, 3).Draw(t, "claims"), Agreement: accepted()}
		in.Agreement.At = now.Add(-100 * 24 * time.Hour)
		for range rapid.IntRange(0, 6).Draw(t, "pieces") {
			in.Evidence = append(in.Evidence, Evidence{ID: rapid.StringMatching(`[a-z]{4}`).Draw(t, "id"), Claim: rapid.SampledFrom(claims).Draw(t, "of"),
				Method: rapid.SampledFrom([]Method{MailboxByEmail, "phone", ""}).Draw(t, "method"), At: moment("begun")})
		}
		judged := now
		asked := moment("asked")
		v := Judge(in, judged)
		live := func(c Claim, at time.Time) bool {
			for _, e := range in.Evidence {
				if e.Claim == c && c.Kind == Mailbox && e.Method == MailboxByEmail && !e.At.After(judged) && at.Before(e.At.Add(reuse)) {
					return true
				}
			}
			return false
		}
		want := !asked.Before(judged)
		for _, c := range in.Claims {
			want = want && live(c, judged) && live(c, asked)
		}
		if v.Allowed(asked) != want {
			t.Fatalf("allowed at %v is %v; judged at %v until %v", asked, !want, judged, v.Until())
		}
	})
}
