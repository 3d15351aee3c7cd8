package e2e

import (
	"bytes"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"chancery.example/config"
	"chancery.example/notify"
	"chancery.example/ra/workflow"
)

// postOffice is an SMTP server that keeps what it is given, or refuses it.
type postOffice struct {
	mu     sync.Mutex
	mails  [][]byte
	refuse error
}

func (p *postOffice) NewSession(*smtp.Conn) (smtp.Session, error) { return &handover{office: p}, nil }

func (p *postOffice) taken() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mails
}

type handover struct{ office *postOffice }

func (d *handover) Mail(string, *smtp.MailOptions) error { return nil }
func (d *handover) Rcpt(string, *smtp.RcptOptions) error { return d.office.refuse }
func (d *handover) Reset()                               {}
func (d *handover) Logout() error                        { return nil }
func (d *handover) Data(r io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(r, 1<<20))
	d.office.mu.Lock()
	defer d.office.mu.Unlock()
	d.office.mails = append(d.office.mails, raw)
	return err
}

// open serves on an address until the test ends.
func (p *postOffice) open(t *testing.T, address string) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(p)
	s.Domain = "localhost"
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

// smtpHouse is a running house whose mails go to a port.
func smtpHouse(t *testing.T, port string) *house {
	t.Helper()
	c := newConfig(t, config.SQLite)
	c.SMTP.Host, c.SMTP.Security, c.Mail.From = "127.0.0.1", config.SecurityNone, "pki@example.com"
	var err error
	if c.SMTP.Port, err = strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	makeHouse(t, c)
	return start(t, c)
}

func TestMailGoesToTheServerAsSoonAsItIsThere(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the back-off of a mail")
	}
	port := freePort(t)
	h := smtpHouse(t, port)
	o, err := h.Conductor.Submit(t.Context(), h.application("alice@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	waiting := func() notify.Mail {
		list := must[[]notify.Mail](t)(h.Store.Mails(t.Context(), notify.Filter{Order: string(o.ID), Limit: 10}))
		if len(list) != 1 {
			t.Fatalf("%d mails, want 1", len(list))
		}
		return list[0]
	}
	within(t, 10*time.Second, "the first try fails and says so", func() bool { return waiting().LastError != "" && waiting().State == notify.Queued })

	office := &postOffice{}
	office.open(t, "127.0.0.1:"+port)
	within(t, 30*time.Second, "the mail arrives", func() bool { return len(office.taken()) > 0 })
	within(t, 5*time.Second, "the ledger says that it left", func() bool { return waiting().State == notify.Sent })
	got := office.taken()
	if len(got) != 1 {
		t.Errorf("the mail came %d times", len(got))
	}
	for _, want := range []string{"Subject: Please confirm alice@example.com", "Auto-Submitted: auto-generated", "Message-ID: <" + waiting().ID + "@example.com>", "/confirm/"} {
		if !bytes.Contains(got[0], []byte(want)) {
			t.Errorf("the mail lacks %q:\n%s", want, got[0])
		}
	}
	if left, _ := filepath.Glob(filepath.Join(h.config.Data, "outbox", "*.eml")); len(left) > 0 {
		t.Errorf("the outbox holds %v, though a server took the mail", left)
	}
}

func TestMailThatTheServerRefusesIsVisible(t *testing.T) {
	port := freePort(t)
	office := &postOffice{refuse: &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}}
	office.open(t, "127.0.0.1:"+port)
	h := smtpHouse(t, port)
	o, err := h.Conductor.Submit(t.Context(), h.application("nobody@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	var m notify.Mail
	within(t, 15*time.Second, "the mail is given up", func() bool {
		list := must[[]notify.Mail](t)(h.Store.Mails(t.Context(), notify.Filter{Order: string(o.ID), Kind: workflow.MailConfirm, Limit: 10}))
		m = list[0]
		return m.State == notify.Failed
	})
	if !strings.Contains(m.LastError, "no such mailbox") {
		t.Errorf("the administrator is told %q", m.LastError)
	}
	found := false
	for e, err := range h.Store.AuditLog(t.Context()) {
		if err != nil {
			t.Fatal(errors.Unwrap(err))
		}
		found = found || e.Action == "mail.fail" && strings.Contains(e.Detail["error"], "no such mailbox")
	}
	if !found {
		t.Error("the audit log does not tell of the failure")
	}
	census, err := h.Store.Census(t.Context(), time.Now())
	if err != nil || census.MailsFailed != 1 {
		t.Errorf("the overview counts %d failed mails: %v", census.MailsFailed, err)
	}
}
