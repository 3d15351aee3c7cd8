package notify_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/lifecycle"
	"chancery.example/mailbox"
	"chancery.example/notify"
	"chancery.example/ra/workflow"
)

var now = time.Date(2026, 11, 22, 12, 34, 56, 0, time.UTC)

// kinds are all mails that the house writes.
var kinds = []notify.Kind{workflow.MailConfirm, workflow.MailReady, workflow.MailPickup, workflow.MailIssued, lifecycle.MailExpiring, workflow.MailRevoked}

func address(t testing.TB, s string) mailbox.Address {
	t.Helper()
	a, err := mailbox.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func catalogue(t *testing.T, language string) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("locales/" + language + ".json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

var placeholder = regexp.MustCompile(`\{\{\.[A-Za-z]+\}\}`)

// Both catalogues say the same things, about the same values, and nothing that no mail says.
func TestCataloguesAgree(t *testing.T) {
	files, err := filepath.Glob("locales/*.json")
	if err != nil || len(files) != len(notify.Languages) {
		t.Fatalf("%d catalogues for %d languages: %v", len(files), len(notify.Languages), err)
	}
	wanted := []string{"mail.footer", "mail.confirm.before.foreign", "mail.confirm.after.foreign"}
	for _, k := range kinds {
		for _, part := range []string{"subject", "before", "button", "after"} {
			wanted = append(wanted, "mail."+string(k)+"."+part)
		}
	}
	for r := range status.Reason(11) {
		if name := r.String(); catalogue(t, "en")["reason."+name] != "" {
			wanted = append(wanted, "reason."+name)
		}
	}
	first := catalogue(t, notify.Languages[0])
	for _, l := range notify.Languages {
		all := catalogue(t, l)
		for _, id := range wanted {
			if strings.TrimSpace(all[id]) == "" {
				t.Errorf("%s has no text %q", l, id)
			}
			a, b := placeholder.FindAllString(first[id], -1), placeholder.FindAllString(all[id], -1)
			slices.Sort(a)
			slices.Sort(b)
			if a, b = slices.Compact(a), slices.Compact(b); !slices.Equal(a, b) {
				t.Errorf("%q names %v in %s and %v in %s", id, a, notify.Languages[0], b, l)
			}
		}
		for id := range all {
			if !slices.Contains(wanted, id) {
				t.Errorf("%s has the text %q, which no mail says", l, id)
			}
		}
	}
}

func TestReasonsThatTheHouseUsesHaveWords(t *testing.T) {
	for _, name := range []string{"unspecified", "key-compromise", "ca-compromise", "affiliation-changed", "superseded", "cessation-of-operation", "privilege-withdrawn"} {
		if _, err := status.ParseReason(name); err != nil {
			t.Errorf("%s is no reason: %v", name, err)
		}
		if catalogue(t, "en")["reason."+name] == "" {
			t.Errorf("%s has no words", name)
		}
	}
}

func letterOf(k notify.Kind) notify.Letter {
	l := notify.Letter{Mailbox: "alice@example.com", Order: "ord_1", Serial: "00ff", Status: "http://localhost:8440/o/secretsecretsecretsecretsecretsec", Action: "http://localhost:8440/act/actactactactactactactactactactac"}
	l.Until, l.Ends = now.Add(24*time.Hour), now.Add(30*24*time.Hour)
	if k == workflow.MailRevoked {
		l.Reason = "key-compromise"
	}
	return l
}

func compose(t testing.TB, house string, k notify.Kind, language string, change ...func(*notify.Letter)) notify.Message {
	t.Helper()
	texts, err := notify.NewTexts(house)
	if err != nil {
		t.Fatal(err)
	}
	l := letterOf(k)
	for _, f := range change {
		f(&l)
	}
	m, _ := notify.New(k, address(t, "alice@example.com"), language, now)
	out, err := texts.Compose(m, l, now)
	if err != nil {
		t.Fatal(err)
	}
	if out.ID != m.ID || out.To != m.To || !out.Date.Equal(now) {
		t.Errorf("composed for another: %+v", out)
	}
	return out
}

func TestEveryMailInEveryLanguage(t *testing.T) {
	for _, k := range kinds {
		for _, language := range append(notify.Languages, "de-AT", "fr", "") {
			t.Run(string(k)+" in "+language, func(t *testing.T) {
				m := compose(t, "Example & Söhne", k, language)
				for name, text := range map[string]string{"subject": m.Subject, "text": m.Text, "HTML": m.HTML} {
					for _, bad := range []string{"<no value>", "{{", "}}", "%!", "ZgotmplZ", "mail." + string(k), "reason.", "0001-01-01"} {
						if strings.Contains(text, bad) {
							t.Errorf("the %s has %q:\n%s", name, bad, text)
						}
					}
				}
				if n := len([]rune(m.Subject)); n < 10 || n > 100 || strings.ContainsAny(m.Subject, "\r\n") {
					t.Errorf("the subject is %q", m.Subject)
				}
				l := letterOf(k)
				for _, must := range []string{l.Action, l.Status, "alice@example.com", "Example & Söhne"} {
					if !strings.Contains(m.Text, must) {
						t.Errorf("the text does not say %q:\n%s", must, m.Text)
					}
				}
				for _, must := range []string{`href="` + l.Action + `"`, `href="` + l.Status + `"`, "Example &amp; Söhne", "<html lang="} {
					if !strings.Contains(m.HTML, must) {
						t.Errorf("the HTML does not say %q", must)
					}
				}
				if german := strings.HasPrefix(language, "de"); german != strings.Contains(m.Text, "Zertifikat") {
					t.Errorf("the language is another:\n%s", m.Text)
				}
				for _, tag := range []string{"<script", "<img", "http-equiv", "src="} {
					if strings.Contains(m.HTML, tag) {
						t.Errorf("the HTML has %q", tag)
					}
				}
			})
		}
	}
}

func TestARevocationIsSaidInWords(t *testing.T) {
	if m := compose(t, "House", workflow.MailRevoked, "en"); !strings.Contains(m.Text, "the key may be known to somebody else") {
		t.Errorf("the reason is missing:\n%s", m.Text)
	}
	if m := compose(t, "House", workflow.MailRevoked, "de"); !strings.Contains(m.Text, "der Schlüssel könnte jemand anderem bekannt sein") {
		t.Errorf("the reason is missing:\n%s", m.Text)
	}
}

// Whoever confirms an order that came with a key must read so, in every language.
func TestAKeyThatSomebodyAlreadyHoldsIsSaid(t *testing.T) {
	for _, language := range notify.Languages {
		foreign := compose(t, "House", workflow.MailConfirm, language, func(l *notify.Letter) { l.Foreign = true })
		own := compose(t, "House", workflow.MailConfirm, language)
		want := strings.ReplaceAll(catalogue(t, language)["mail.confirm.before.foreign"], "{{.Mailbox}}", "alice@example.com")
		if !strings.Contains(foreign.Text, want) || strings.Contains(own.Text, want) || strings.Contains(foreign.Text+foreign.HTML, "<no value>") {
			t.Errorf("in %s it reads:\n%s", language, foreign.Text)
		}
		if other := compose(t, "House", workflow.MailReady, language, func(l *notify.Letter) { l.Foreign = true }); strings.Contains(other.Text, want) {
			t.Errorf("in %s another mail says it too", language)
		}
	}
}

func TestAKindWithoutTextsIsRefused(t *testing.T) {
	texts, err := notify.NewTexts("House")
	if err != nil {
		t.Fatal(err)
	}
	m, _ := notify.New("birthday", address(t, "alice@example.com"), "en", now)
	if _, err := texts.Compose(m, notify.Letter{}, now); !fault.Is(err, fault.Internal) || fault.CodeOf(err) != "notify.text" {
		t.Errorf("got %v", err)
	}
}

func TestMarkupInValuesStaysText(t *testing.T) {
	evil := `<script>alert(1)</script>{{.Action}}`
	m := compose(t, evil, workflow.MailConfirm, "en", func(l *notify.Letter) { l.Mailbox = evil })
	if strings.Contains(m.HTML, "<script") {
		t.Errorf("markup got through:\n%s", m.HTML)
	}
	if strings.Count(m.Text, "{{.Action}}") == 0 {
		t.Error("a value was taken for a template")
	}
	m = compose(t, "House", workflow.MailConfirm, "en", func(l *notify.Letter) { l.Action = "javascript:alert(1)" })
	if strings.Contains(m.HTML, `href="javascript:`) {
		t.Error("a link with a script got through")
	}
}

func TestNewMailsHaveIDsOfTheirOwnAndOneJob(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		m, job := notify.New(workflow.MailConfirm, address(t, "alice@example.com"), "en", now)
		if seen[m.ID] || !regexp.MustCompile(`^mail_[a-z2-7]{26}$`).MatchString(m.ID) {
			t.Fatalf("the ID is %q", m.ID)
		}
		seen[m.ID] = true
		if job.Kind != notify.Send || job.Unique != m.ID || string(job.Args) != `{"mail":"`+m.ID+`"}` || m.State != notify.Queued {
			t.Errorf("the job is %+v", job)
		}
	}
}

// read parses a mail as its receiver would.
func read(t testing.TB, raw []byte) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("it is %q, %v", kind, err)
	}
	parts := map[string]string{}
	for r := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := r.NextPart()
		if err == io.EOF {
			return m.Header, parts
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		parts[kind] = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
}

func TestTimesAndSerialNumbersAreWrittenForReaders(t *testing.T) {
	texts, err := notify.NewTexts("Example Org")
	if err != nil {
		t.Fatal(err)
	}
	l := letterOf(workflow.MailIssued)
	l.Serial = "3f9a00c1ff"
	for _, c := range []struct {
		kind     notify.Kind
		language string
		want     string
	}{
		{workflow.MailIssued, "en", "3F9A 00C1 FF"},
		{workflow.MailConfirm, "en", "until 23 November 2026, 12:34 UTC"},
		{workflow.MailConfirm, "de", "bis 23.11.2026, 12:34 UTC"},
		{lifecycle.MailExpiring, "de", "endet am 22.12.2026"},
	} {
		m, err := texts.Compose(notify.Mail{ID: "mail_1", Kind: c.kind, Language: c.language}, l, now)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(m.Text, c.want) {
			t.Errorf("%s in %s lacks %q:\n%s", c.kind, c.language, c.want, m.Text)
		}
	}
}
