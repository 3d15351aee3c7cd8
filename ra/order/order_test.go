package order

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"chancery.example/fault"
	"chancery.example/rules"
)

var update = flag.Bool("update", false, "write the diagram in docs/path.md anew")

const pathDoc = "../../docs/path.md"

// diagram draws the path as Mermaid.
func diagram() string {
	var b strings.Builder
	b.WriteString("<!-- states -->\n```mermaid\nstateDiagram-v2\n")
	for _, m := range Path {
		from, to := string(m.From), string(m.To)
		if m.From == New {
			from = "[*]"
		}
		fmt.Fprintf(&b, "    %s --> %s: %s\n", from, to, m.On)
	}
	for _, s := range []State{Delivered, Revoked, Refused, Cancelled} {
		fmt.Fprintf(&b, "    %s --> [*]\n", s)
	}
	b.WriteString("```\n<!-- /states -->")
	return b.String()
}

func TestDiagramInDocsIsTheTable(t *testing.T) {
	raw, err := os.ReadFile(pathDoc)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	a, z := strings.Index(text, "<!-- states -->"), strings.Index(text, "<!-- /states -->")
	if a < 0 || z < a {
		t.Fatal("docs/path.md has lost its marks around the diagram")
	}
	z += len("<!-- /states -->")
	if *update {
		if err := os.WriteFile(pathDoc, []byte(text[:a]+diagram()+text[z:]), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text[a:z] != diagram() {
		t.Error("the diagram in docs/path.md is not the table: run go test ./ra/order -update")
	}
}

func TestPathIsSound(t *testing.T) {
	seen := map[string]bool{}
	reached := map[State]bool{New: true}
	for _, m := range Path {
		key := string(m.From) + "/" + string(m.On)
		if seen[key] {
			t.Errorf("two moves for %s", key)
		}
		seen[key] = true
		reached[m.To] = true
		if m.To == Expired || m.From == Expired {
			t.Errorf("%v: expiry is computed, never stored", m)
		}
	}
	for s, words := range stateSentences {
		if !reached[s] && s != Expired {
			t.Errorf("state %q is never reached", s)
		}
		if words == "" {
			t.Errorf("state %q has no sentence", s)
		}
	}
	for s := range reached {
		if _, ok := stateSentences[s]; !ok {
			t.Errorf("state %q has no sentence", s)
		}
	}
}

func TestEveryMoveThatIsNotInTheTableIsRefused(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	states := []State{New, Confirming, Proved, Approved, Issuing, Issued, Delivered, Revoked, Refused, Cancelled}
	events := []Event{Submit, Inform, Confirm, Approve, Refuse, Prepare, Issue, Abandon, Repeat, Receive, Revoke, Cancel}
	for _, s := range states {
		for _, e := range events {
			o := Order{ID: NewID(), State: s, CreatedAt: now, ApprovedAt: now}
			to, allowed := Next(s, e)
			got, err := o.Advance(e, now.Add(time.Minute))
			switch {
			case allowed && (err != nil || got.State != to):
				t.Errorf("%s on %s: got %s, %v; the table says %s", s, e, got.State, err, to)
			case !allowed && !fault.Is(err, fault.Conflict):
				t.Errorf("%s on %s: got %v, want a conflict", s, e, err)
			case !allowed && got.State != s:
				t.Errorf("%s on %s was refused but moved to %s", s, e, got.State)
			}
		}
	}
}

func TestAnOrderExpiresByTimeAlone(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	o := Order{ID: NewID(), State: Confirming, CreatedAt: now}
	end := now.Add(rules.Duration(rules.OrderWindow, now))
	if got := o.StateAt(end.Add(-time.Microsecond)); got != Confirming {
		t.Errorf("just before its deadline it is %s", got)
	}
	if got := o.StateAt(end); got != Expired {
		t.Errorf("at its deadline it is %s", got)
	}
	if _, err := o.Advance(Confirm, end); !fault.Is(err, fault.Conflict) || fault.CodeOf(err) != "order.state-expired" {
		t.Errorf("confirming an expired order gives %v", err)
	}
	o.State, o.ApprovedAt = Approved, now
	if _, err := o.Advance(Prepare, now.Add(rules.Duration(rules.PickUpWindow, now))); fault.CodeOf(err) != "order.state-expired" {
		t.Errorf("picking up too late gives %v", err)
	}
	o.State = Delivered
	if got := o.StateAt(now.AddDate(10, 0, 0)); got != Delivered {
		t.Errorf("a delivered order became %s", got)
	}
}

func TestLinks(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	link, secret := NewLink("ord_x", ToConfirm, "mail_x", now, 24*time.Hour)
	if len(string(secret)) != 32 {
		t.Errorf("the secret has %d characters of 5 bits, want 32", len(string(secret)))
	}
	if s := fmt.Sprint(secret); strings.Contains(s, string(secret)[:8]) {
		t.Errorf("a printed secret shows itself: %s", s)
	}
	other, second := NewLink("ord_x", ToConfirm, "mail_y", now, 24*time.Hour)
	if second == secret || other.Hash == link.Hash {
		t.Error("two links share a secret")
	}
	if secret.Hash() != link.Hash {
		t.Error("the secret does not lead to its link")
	}
	used := link
	used.UsedAt = now
	for name, c := range map[string]struct {
		link Link
		for_ Purpose
		at   time.Time
		code string
	}{
		"a fresh link for its purpose is good":       {link, ToConfirm, now.Add(time.Hour), ""},
		"another purpose does not know it":           {link, ToPickup, now.Add(time.Hour), "link.unknown"},
		"a used link is gone":                        {used, ToConfirm, now.Add(time.Hour), "link.used"},
		"it is gone at the very end of its life":     {link, ToConfirm, now.Add(24 * time.Hour), "link.expired"},
		"it is good in the last moment of its life":  {link, ToConfirm, now.Add(24*time.Hour - time.Microsecond), ""},
		"a link that was never made is not known":    {Link{}, ToConfirm, now, "link.unknown"},
		"a used link for another purpose is unknown": {used, ToStatus, now, "link.unknown"},
	} {
		err := c.link.Check(c.for_, c.at)
		if (err == nil) != (c.code == "") || err != nil && fault.CodeOf(err) != c.code {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
