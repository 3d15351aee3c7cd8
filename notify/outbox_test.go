package notify_test

import (
	"bytes"
	"context"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"chancery.example/fault"
	"chancery.example/notify"
	"chancery.example/ra/workflow"
)

func openOutbox(t testing.TB, from mail.Address) (*notify.Outbox, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "outbox")
	o, err := notify.OpenOutbox(dir, from)
	if err != nil {
		t.Fatal(err)
	}
	return o, dir
}

var house = mail.Address{Name: "Example & Söhne", Address: "pki@example.com"}

func TestMailsInTheOutboxAreWholeMails(t *testing.T) {
	o, dir := openOutbox(t, house)
	m := compose(t, "Example & Söhne", workflow.MailConfirm, "de")
	if err := o.Carry(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	raw, err := o.Read(m.ID)
	if err != nil {
		t.Fatal(err)
	}
	header, parts := read(t, raw)
	from, err := header.AddressList("From")
	if err != nil || len(from) != 1 || *from[0] != house {
		t.Errorf("from %v, %v", from, err)
	}
	if to, err := header.AddressList("To"); err != nil || len(to) != 1 || to[0].Address != "alice@example.com" {
		t.Errorf("to %v, %v", to, err)
	}
	if at, err := header.Date(); err != nil || !at.Equal(now) {
		t.Errorf("dated %v, %v", at, err)
	}
	for name, want := range map[string]string{"Message-Id": "<" + m.ID + "@example.com>", "Auto-Submitted": "auto-generated", "Mime-Version": "1.0", "User-Agent": "", "X-Mailer": ""} {
		if got := header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if parts["text/plain"] != m.Text {
		t.Errorf("the text is\n%q, want\n%q", parts["text/plain"], m.Text)
	}
	if parts["text/html"] != m.HTML {
		t.Error("the HTML is another")
	}
	for line := range strings.SplitSeq(string(raw), "\r\n") {
		if len(line) > 998 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("a line of %d octets (RFC 5322 2.1.1)", len(line))
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, %v", info.Mode(), err)
	}
	if info, err = os.Stat(filepath.Join(dir, m.ID+".eml")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
}

func TestAMailIsInTheOutboxOnce(t *testing.T) {
	o, dir := openOutbox(t, house)
	m := compose(t, "House", workflow.MailConfirm, "en")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			if err := o.Carry(context.Background(), m); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	m.Text = "composed again"
	if err := o.Carry(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	raw, err := o.Read(m.ID)
	if err != nil || !bytes.Contains(raw, []byte("composed again")) {
		t.Errorf("the last one must stay: %v", err)
	}
}

func TestAnOutboxThatCannotBeWrittenSaysSo(t *testing.T) {
	o, dir := openOutbox(t, house)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := o.Carry(t.Context(), compose(t, "House", workflow.MailConfirm, "en")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := notify.OpenOutbox(file, house); !fault.Is(err, fault.Unavailable) {
		t.Errorf("got %v", err)
	}
}

func TestReadStaysInTheFolder(t *testing.T) {
	o, dir := openOutbox(t, house)
	if err := os.WriteFile(filepath.Join(filepath.Dir(dir), "secret.eml"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := "mail_" + strings.Repeat("a", 26)
	for _, in := range []string{"", "secret", "../secret", "mail_../secret", "mail_/../../secret", "mail_" + strings.Repeat("a", 25) + "/", `mail_..\secret`, id + "\x00", id + ".eml", id + "/../../secret",
		"mail_" + strings.Repeat("A", 26), "/etc/passwd", "mail_", id + "a", "\n" + id, id + "\n"} {
		if raw, err := o.Read(in); !fault.Is(err, fault.NotFound) || raw != nil {
			t.Errorf("%q gives %q, %v", in, raw, err)
		}
	}
	if _, err := o.Read(id); fault.CodeOf(err) != "outbox.elsewhere" {
		t.Errorf("a mail that is not there: %v", err)
	}
}

// Whatever the house is called and whatever stands in a mail, its header has exactly the fields that we wrote.
func TestNoValueMakesAHeaderField(t *testing.T) {
	plain := fields(t, mail.Address{Name: "House", Address: "pki@example.com"}, compose(t, "House", workflow.MailConfirm, "en"))
	for _, name := range []string{"Evil\r\nBcc: mallory@example.com", "Evil\nBcc: m@example.com", "Evil\rBcc: m@example.com", `Müller "M" & Söhne GmbH`, `back\slash`, "semi; colon, comma <x@y>", "\x00\x01", "",
		"=?utf-8?q?x=0D=0ABcc:_m@example.com?=", strings.Repeat("long ", 300), "\xff\xfe"} {
		m := compose(t, name, workflow.MailConfirm, "en", func(l *notify.Letter) { l.Mailbox = name })
		got := fields(t, mail.Address{Name: name, Address: "pki@example.com"}, m)
		if strings.Join(got, " ") != strings.Join(plain, " ") {
			t.Errorf("called %.60q, a mail has the fields %v", name, got)
		}
		m = compose(t, "House", workflow.MailConfirm, "en")
		m.Subject = name + "\r\nX-Evil: 1"
		if got := fields(t, house, m); strings.Join(got, " ") != strings.Join(plain, " ") {
			t.Errorf("with the subject %.60q, a mail has the fields %v", m.Subject, got)
		}
	}
}

var fieldName = regexp.MustCompile(`^([!-9;-~]+):`)

// fields are the names of the header fields of a mail, as octets decide, not as a forgiving parser does.
func fields(t *testing.T, from mail.Address, m notify.Message) []string {
	t.Helper()
	o, _ := openOutbox(t, from)
	if err := o.Carry(t.Context(), m); err != nil {
		t.Fatalf("%q: %v", from.Name, err)
	}
	raw, err := o.Read(m.ID)
	if err != nil {
		t.Fatal(err)
	}
	read(t, raw)
	head, _, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !ok || bytes.ContainsRune(bytes.ReplaceAll(head, []byte("\r\n"), nil), '\r') || bytes.ContainsRune(bytes.ReplaceAll(head, []byte("\r\n"), nil), '\n') || bytes.ContainsRune(head, 0) {
		t.Errorf("the header is malformed: %.200q", head)
	}
	seen := map[string]bool{}
	var out []string
	for line := range strings.SplitSeq(string(head), "\r\n") {
		if n := fieldName.FindStringSubmatch(line); n != nil {
			if seen[n[1]] {
				t.Errorf("the field %s is there twice", n[1])
			}
			seen[n[1]] = true
		} else if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "\t") {
			t.Errorf("a line of the header is no field: %q", line)
		}
	}
	for _, want := range []string{"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"} {
		if !seen[want] {
			t.Errorf("there is no %s", want)
		}
	}
	for n := range seen {
		out = append(out, n)
	}

	return sorted(out)
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
