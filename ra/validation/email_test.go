package validation

import (
	"strings"
	"testing"
	"time"

	"chancery.example/approval"
	"chancery.example/fault"
	"chancery.example/mailbox"
)

var made = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestByEmail(t *testing.T) {
	to, err := mailbox.Parse("alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		after time.Duration
		good  bool
	}{
		{"a value is good at the moment it is made", 0, true},
		{"a value is good for its last microsecond", 24*time.Hour - time.Microsecond, true},
		{"a value ends after 24 hours, to the microsecond", 24 * time.Hour, false},
		{"a value of last week is refused", 7 * 24 * time.Hour, false},
		{"a value from the future is refused", -time.Microsecond, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, err := ByEmail(to, Sent{Mail: "mail_1", At: made}, made.Add(c.after), "ord_1")
			if !c.good {
				if !fault.Is(err, fault.Gone) || e.ID != "" {
					t.Fatalf("got %v, %v", e, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if e.Claim != (approval.Claim{Kind: approval.Mailbox, Value: "alice@example.com"}) || e.Method != approval.MailboxByEmail || e.Origin != "ord_1" || e.Detail["mail"] != "mail_1" {
				t.Errorf("the evidence says %+v", e)
			}
			if !strings.Contains(e.Rule, "3.2.2.2") {
				t.Errorf("the rule is %q", e.Rule)
			}
			if !e.At.Equal(made) {
				t.Errorf("counts from %v, want the making of the value %v (SBR 4.2.1)", e.At, made)
			}
		})
	}
}

func TestEvidenceHasAnIDOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		e, err := ByEmail(mailbox.Address{}, Sent{At: made}, made, "")
		if err != nil || seen[e.ID] || len(e.ID) != len("evd_")+32 {
			t.Fatalf("%q, %v", e.ID, err)
		}
		seen[e.ID] = true
	}
}
