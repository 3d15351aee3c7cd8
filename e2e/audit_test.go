package e2e

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"chancery.example/config"
)

// Somebody with access to the database file rewrites history; chancery audit verify names the first broken entry.
func TestAuditVerifyNamesATamperedEntry(t *testing.T) {
	c := newConfig(t, config.SQLite)
	makeHouse(t, c)
	h := start(t, c)
	if _, err := h.Conductor.Submit(t.Context(), h.application("alice@example.com")); err != nil {
		t.Fatal(err)
	}
	h.await("the confirmation", hasLink("alice@example.com", "/confirm/"))
	if out := wants(t, 0, "audit", "verify", "--data", c.Data); !strings.Contains(string(out), "The chain holds") {
		t.Errorf("an untouched log gives:\n%s", out)
	}
	exported := file(t, t.TempDir(), "log.jsonl", wants(t, 0, "audit", "export", "--data", c.Data))
	wants(t, 0, "audit", "verify", exported)
	h.stop()

	db, err := sql.Open("sqlite", filepath.Join(c.Data, "chancery.db"))
	if err != nil {
		t.Fatal(err)
	}
	var victim int64
	if err := db.QueryRow(`SELECT seq FROM audit_entries WHERE action = 'order.submit'`).Scan(&victim); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`UPDATE audit_entries SET subject = 'order/ord_other' WHERE seq = $1`, victim); err != nil {
		t.Fatal(err)
	}
	db.Close()

	start(t, c)
	out := wants(t, 3, "audit", "verify", "--json", "--data", c.Data)
	var proof struct {
		Holds  bool  `json:"holds"`
		Broken int64 `json:"first_broken"`
	}
	if err := json.Unmarshal(out, &proof); err != nil || proof.Holds || proof.Broken != victim {
		t.Errorf("entry %d was rewritten; verify says:\n%s", victim, out)
	}
	wants(t, 0, "audit", "verify", exported) // what was exported before still proves what was
}
