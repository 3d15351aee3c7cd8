package smime

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The JSON form is a contract: keys may be added, none may go or change its type.
func TestReportAsJSON(t *testing.T) {
	c := newCast(t)
	report := open(t, encrypted(t, signed(t, letter, signer(c.alice)), recipients(c.bob)), c.reader())
	text, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Verdict          string
		Encrypted        *bool
		Authenticated    *bool
		From             string
		Signatures       []map[string]any
		Layers           []map[string]any
		ProtectedHeaders map[string]map[string]any `json:"protected_headers"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Verdict != "valid" || !*got.Encrypted || !*got.Authenticated || got.From != "alice@example.com" || len(got.Layers) != 2 || got.ProtectedHeaders == nil {
		t.Errorf("%s", text)
	}
	keys := slices.Sorted(maps.Keys(got.Signatures[0]))
	if want := "addresses chain digest_algorithm reasons revocation signature_algorithm signer signing_time verdict"; strings.Join(keys, " ") != want {
		t.Errorf("keys of a signature: %s, want %s", keys, want)
	}
	for _, empty := range []string{`"reasons":[]`, `"signing_time":"2026-06-01T12:00:00Z"`} {
		if !strings.Contains(string(text), empty) {
			t.Errorf("no %s in %s", empty, text)
		}
	}
	nothing, err := json.Marshal(open(t, letter, c.reader()))
	if want := `{"verdict":"unsigned","reasons":[],"encrypted":false,"authenticated":false,"from":"alice@example.com","signatures":[],"layers":[],"protected_headers":{}}`; err != nil || string(nothing) != want {
		t.Errorf("an unsigned mail: %s, want %s", nothing, want)
	}
}
