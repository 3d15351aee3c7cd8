package portal

import (
	"encoding/json"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/lifecycle"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
)

// catalogue reads every message of one file.
func catalogue(t *testing.T, name string) map[string]any {
	t.Helper()
	raw, err := localeFiles.ReadFile("locales/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return all
}

var placeholder = regexp.MustCompile(`{{\.(\w+)}}`)

// names lists the values that a message shows.
func names(message any) []string {
	raw, _ := json.Marshal(message)
	var out []string
	for _, m := range placeholder.FindAllStringSubmatch(string(raw), -1) {
		if !slices.Contains(out, m[1]) {
			out = append(out, m[1])
		}
	}
	slices.Sort(out)
	return out
}

func TestCataloguesSayTheSame(t *testing.T) {
	for _, part := range []string{"holder", "staff"} {
		en, de := catalogue(t, part+".en.json"), catalogue(t, part+".de.json")
		for id, message := range en {
			other, ok := de[id]
			if !ok {
				t.Errorf("German lacks %s", id)
				continue
			}
			if got, want := names(other), names(message); !slices.Equal(got, want) {
				switch id {
				case "credential.recovery.left", "notice.key": // said in another way
				default:
					t.Errorf("%s names %v in German and %v in English", id, got, want)
				}
			}
		}
		for id := range de {
			if _, ok := en[id]; !ok {
				t.Errorf("English lacks %s", id)
			}
		}
	}
}

var (
	asked   = regexp.MustCompile(`\b(?:t|tn) "([a-z0-9.-]+)"`)
	literal = regexp.MustCompile(`>[^<{]*\p{L}{2,}[^<{]*[<{]`)
	action  = regexp.MustCompile(`{{[^}]*}}`)
)

func TestTemplatesHoldNoUntranslatedText(t *testing.T) {
	all, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	// What stands in templates in every language: names of things that have no translation.
	same := []string{"Chancery", "CSV", "JSON", "SBR 3.2.2.2", "SBR 4.9 · RFC 5280 5.3.1", "SPKI", "English", "Deutsch"}
	err = fs.WalkDir(templateFiles, "templates", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := templateFiles.ReadFile(name)
		if err != nil {
			return err
		}
		for _, m := range asked.FindAllStringSubmatch(string(raw), -1) {
			for lang, w := range all {
				if !w.has(m[1]) {
					t.Errorf("%s asks for %q, which %s lacks", path.Base(name), m[1], lang)
				}
			}
		}
		for _, m := range literal.FindAllString(action.ReplaceAllString(string(raw), "{"), -1) {
			text := strings.TrimSpace(strings.Trim(m, "><{"))
			if !slices.ContainsFunc(same, func(s string) bool { return text == s }) {
				t.Errorf("%s holds the untranslated text %q", path.Base(name), text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The catalogues must know every value of other packages that pages show by its name.
func TestCataloguesKnowEveryName(t *testing.T) {
	all, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, m := range order.Path {
		ids = append(ids, "order.state."+string(m.To), "state."+string(m.To))
	}
	ids = append(ids, "order.state.expired", "state.expired")
	for _, r := range access.AllRoles {
		ids = append(ids, "role."+string(r), "role."+string(r)+".may")
	}
	for _, r := range status.Names(status.Specialist) {
		ids = append(ids, "reason."+r, "reason."+r+".hint")
	}
	for _, r := range status.Names(status.House) {
		ids = append(ids, "reason."+r+".said")
	}
	for _, k := range []notify.Kind{workflow.MailConfirm, workflow.MailReady, workflow.MailPickup, workflow.MailIssued, lifecycle.MailExpiring, workflow.MailRevoked} {
		ids = append(ids, "mail.kind."+string(k))
	}
	for _, s := range mailStates {
		ids = append(ids, "mail.state."+s)
	}
	for _, p := range programs {
		ids = append(ids, "program."+p, "program."+p+".1", "program."+p+".2", "program."+p+".3")
	}
	for _, k := range []access.CredentialKind{access.Password, access.TOTP, access.Passkey, access.RecoveryCode} {
		ids = append(ids, "credential."+string(k))
	}
	for kind := range statuses {
		ids = append(ids, "error."+kind.String())
	}
	for done := range flashes {
		ids = append(ids, "done."+done)
	}
	for _, why := range []string{"none", "short", "easy"} {
		ids = append(ids, "password.refused."+why)
	}
	for _, points := range []string{"2", "3", "4"} {
		ids = append(ids, "password.points."+points)
	}
	for _, tab := range tabs {
		ids = append(ids, tab.key)
	}
	for _, id := range ids {
		for lang, w := range all {
			if !w.has(id) && id != "state.delivered" {
				t.Errorf("%s lacks %s", lang, id)
			}
		}
	}
}

func TestFaultsAreSaidInGerman(t *testing.T) {
	all, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	for id := range catalogue(t, "fault.de.json") {
		if strings.HasPrefix(all["de"].text(id), "⟦") {
			t.Errorf("%s cannot be said", id)
		}
	}
	told := fault.New(fault.Refused, "request.other-mailbox", "The request names bob.").With("requested", "bob@example.com").With("ordered", "alice@example.com")
	for _, c := range []struct {
		name, lang, want string
		err              error
	}{
		{"a code of the catalogue, with its values", "de", "Der Antrag nennt bob@example.com, bestellt ist aber alice@example.com. Machen Sie einen Antrag für die bestellte Adresse, oder einen ohne Adresse.", told},
		{"English is said by the fault itself", "en", "The request names bob.", told},
		{"without its values the English sentence is better than a gap", "de", "The request names bob.", fault.New(fault.Refused, "request.other-mailbox", "The request names bob.")},
		{"a code that is not in the catalogue", "de", "Only here.", fault.New(fault.Refused, "only.here", "Only here.")},
	} {
		if got := all[c.lang].fault(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLengthsOfTimeInWords(t *testing.T) {
	all, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		d      time.Duration
		en, de string
	}{
		{20 * time.Second, "a moment", "einen Augenblick"},
		{time.Minute, "1 minute", "1 Minute"},
		{89 * time.Minute, "89 minutes", "89 Minuten"},
		{24 * time.Hour, "24 hours", "24 Stunden"},
		{72 * time.Hour, "3 days", "3 Tage"},
		{400 * 24 * time.Hour, "13 months", "13 Monate"},
		{-72 * time.Hour, "3 days", "3 Tage"},
	} {
		if got := string(all["en"].span(c.d)); got != c.en {
			t.Errorf("%v is %q, want %q", c.d, got, c.en)
		}
		if got := string(all["de"].span(c.d)); got != c.de {
			t.Errorf("%v is %q, want %q", c.d, got, c.de)
		}
	}
}
