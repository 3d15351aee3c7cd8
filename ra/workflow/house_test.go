package workflow_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/mail"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/issuance"
	"chancery.example/ca/keystore"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/mailbox"
	"chancery.example/notify"
	"chancery.example/ra/agreement"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/store"
)

var start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// clock is handed in and moves only when a test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) { c.set(c.Now().Add(d)) }

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = at
}

// ledger is the real store; it remembers the jobs of committed steps, so that a test runs them by its own clock, and may be
// told to fail, as when the power goes.
type ledger struct {
	*store.Store
	mu    sync.Mutex
	fails func(workflow.Step) error
	jobs  []queued
}

type queued struct {
	jobs.Job
	attempt int
}

func (l *ledger) Commit(ctx context.Context, s workflow.Step) error {
	l.mu.Lock()
	fails := l.fails
	l.mu.Unlock()
	if fails != nil {
		if err := fails(s); err != nil {
			return err
		}
	}
	if err := l.Store.Commit(ctx, s); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, j := range s.Jobs {
		l.jobs = append(l.jobs, queued{j, 1})
	}
	return nil
}

func (l *ledger) failing(f func(workflow.Step) error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fails = f
}

// house is a conductor with its post on a real ledger, real keys and a real outbox.
type house struct {
	*workflow.Conductor
	t         testing.TB
	clock     *clock
	ledger    *ledger
	database  string
	log       *logBuffer
	hierarchy *ceremony.Hierarchy
	table     jobs.Table
	outbox    *notify.Outbox
	carrier   *carrier
	text      agreement.Text
	signer    *switched
}

// logBuffer is a log that can be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// carrier is the outbox, which may be told to refuse.
type carrier struct {
	*notify.Outbox
	refuses error
}

func (c *carrier) Carry(ctx context.Context, m notify.Message) error {
	if c.refuses != nil {
		return c.refuses
	}
	return c.Outbox.Carry(ctx, m)
}

// switched is the issuing key, as of a token that may be pulled.
type switched struct {
	crypto.Signer
	off bool
}

func (s *switched) Sign(r io.Reader, d []byte, o crypto.SignerOpts) ([]byte, error) {
	if s.off {
		return nil, fmt.Errorf("the token was pulled")
	}
	return s.Signer.Sign(r, d, o)
}

const portal = "http://localhost:8440"

// variant makes a house otherwise than by default.
type variant struct {
	plan   func(*ceremony.Plan)
	issuer func(*issuance.Issuer)
}

func newHouse(t testing.TB, otherwise ...variant) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{t: t, clock: &clock{now: start}, database: filepath.Join(dir, "house.db"), log: &logBuffer{}}
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := store.Open(t.Context(), store.Config{Path: h.database, Logger: log})
	h.must(err)
	t.Cleanup(func() { s.Close() })
	h.ledger = &ledger{Store: s}
	keys, err := keystore.Create(filepath.Join(dir, "keys"), keystore.Clear())
	h.must(err)
	plan := ceremony.Default()
	plan.PublicURL = "http://pki.example.com"
	for _, v := range otherwise {
		if v.plan != nil {
			v.plan(&plan)
		}
	}
	h.hierarchy, err = ceremony.Perform(t.Context(), keys, s, plan, audit.Actor{Kind: audit.Operator}, start.Add(-24*time.Hour), func(string) {})
	h.must(err)
	key, err := keys.Key(ceremony.IssuingKey)
	h.must(err)
	h.signer = &switched{Signer: key}
	issuer := issuance.Issuer{Name: ceremony.IssuingKey, Certificate: h.hierarchy.Issuing, Chain: []*x509.Certificate{h.hierarchy.Root},
		Signer: h.signer, Mode: plan.Mode, URLs: ceremony.URLs(plan.PublicURL, ceremony.IssuingKey)}
	for _, v := range otherwise {
		if v.issuer != nil {
			v.issuer(&issuer)
		}
	}
	authority := issuance.New(issuer, s)
	book, err := agreement.Open()
	h.must(err)
	h.text = book.In("en")
	h.Conductor = workflow.New(h.ledger, authority, book, h.clock.Now, log)
	texts, err := notify.NewTexts("Test House")
	h.must(err)
	h.outbox, err = notify.OpenOutbox(filepath.Join(dir, "outbox"), mail.Address{Name: "Test House", Address: "pki@example.com"})
	h.must(err)
	h.carrier = &carrier{Outbox: h.outbox}
	h.table = workflow.Handlers(h.Conductor, workflow.NewPost(h.Conductor, texts, h.carrier, portal, log))
	return h
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// mustBe checks a refusal and that it has a sentence.
func mustBe(t testing.TB, err error, kind fault.Kind, code string) {
	t.Helper()
	if !fault.Is(err, kind) || fault.CodeOf(err) != code {
		t.Fatalf("got %v (%v, %s), want %v, %s", err, fault.KindOf(err), fault.CodeOf(err), kind, code)
	}
	if len(fault.Sentence(err)) < 20 {
		t.Errorf("no sentence for a person: %q", fault.Sentence(err))
	}
}

func address(t testing.TB, s string) mailbox.Address {
	t.Helper()
	a, err := mailbox.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var holder = audit.Actor{Kind: audit.Applicant, ID: "status"}

// application is an order for an address, with the agreement accepted.
func (h *house) application(to string) workflow.Application {
	return workflow.Application{Mailbox: address(h.t, to), Language: "en", Agreement: h.text.Version, AgreementSHA256: h.text.SHA256, By: audit.Actor{Kind: audit.Applicant}}
}

func (h *house) submit(to string) order.Order {
	h.t.Helper()
	o, err := h.Submit(h.t.Context(), h.application(to))
	h.must(err)
	return o
}

// work runs the jobs that are due, and those that they make, as the runner would. It returns the errors of the attempts.
func (h *house) work() []error {
	h.t.Helper()
	var failed []error
	for range 1000 {
		j, ok := h.ledger.take(h.clock.Now())
		if !ok {
			return failed
		}
		err := h.table[j.Kind](h.t.Context(), jobs.Attempt{Args: j.Args, Number: j.attempt, Last: j.attempt >= jobs.DefaultAttempts})
		if err == nil {
			continue
		}
		failed = append(failed, err)
		later, again := err.(jobs.Later)
		if jobs.GivenUp(err) || !again && j.attempt >= jobs.DefaultAttempts {
			continue
		}
		j.RunAt = h.clock.Now().Add(time.Duration(j.attempt*j.attempt*j.attempt*j.attempt) * time.Second)
		if again {
			j.RunAt = h.clock.Now().Add(later.After)
		} else {
			j.attempt++
		}
		h.ledger.mu.Lock()
		h.ledger.jobs = append(h.ledger.jobs, j)
		h.ledger.mu.Unlock()
	}
	h.t.Fatal("the jobs never end")
	return nil
}

// take removes the next job that is due.
func (l *ledger) take(now time.Time) (queued, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, j := range l.jobs {
		if !j.RunAt.After(now) {
			l.jobs = slices.Delete(l.jobs, i, i+1)
			return j, true
		}
	}
	return queued{}, false
}

// waiting says whether a job of a kind is still to be done.
func (l *ledger) waiting(k jobs.Kind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.ContainsFunc(l.jobs, func(j queued) bool { return j.Kind == k })
}

// letter is a mail as its receiver reads it.
type letter struct{ to, subject, text string }

// letters are the mails about an order that left, oldest first.
func (h *house) letters(id order.ID) []letter {
	h.t.Helper()
	list, err := h.ledger.Mails(h.t.Context(), notify.Filter{Order: string(id), State: notify.Sent, Limit: 500})
	h.must(err)
	slices.Reverse(list)
	var out []letter
	for _, m := range list {
		raw, err := h.outbox.Read(m.ID)
		h.must(err)
		out = append(out, readLetter(h.t, raw))
	}
	return out
}

// readLetter takes the plain text out of a mail.
func readLetter(t testing.TB, raw []byte) letter {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("the mail is %q, %v", kind, err)
	}
	part, err := multipart.NewReader(m.Body, params["boundary"]).NextPart() // decodes quoted-printable
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(part)
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	return letter{to: m.Header.Get("To"), subject: subject, text: string(text)}
}

// links are the secrets of one kind of link in the mails about an order, oldest first.
func (h *house) links(id order.ID, p order.Purpose) []order.Secret {
	h.t.Helper()
	path := map[order.Purpose]string{order.ToConfirm: "/confirm/", order.ToPickup: "/pickup/", order.ToStatus: "/o/"}[p]
	find := regexp.MustCompile(regexp.QuoteMeta(portal+path) + `([a-z2-7]{32})`)
	var out []order.Secret
	for _, l := range h.letters(id) {
		for _, m := range find.FindAllStringSubmatch(l.text, -1) {
			if s := order.Secret(m[1]); !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// link is the newest link of a kind.
func (h *house) link(id order.ID, p order.Purpose) order.Secret {
	h.t.Helper()
	all := h.links(id, p)
	if len(all) == 0 {
		h.t.Fatalf("no mail about %s has a link to %s", id, p)
	}
	return all[len(all)-1]
}

// confirmed leads an order to Approved.
func (h *house) confirmed(to string) (order.Order, workflow.Confirmed) {
	h.t.Helper()
	o := h.submit(to)
	h.work()
	done, err := h.Confirm(h.t.Context(), h.link(o.ID, order.ToConfirm), true, audit.Actor{Kind: audit.Applicant, ID: "confirm"})
	h.must(err)
	return h.order(o.ID), done
}

func (h *house) order(id order.ID) order.Order {
	h.t.Helper()
	o, err := h.ledger.Order(h.t.Context(), id)
	h.must(err)
	return o
}

// certificates are those of an order, newest first.
func (h *house) certificates(id order.ID) []issuance.Certificate {
	h.t.Helper()
	list, err := h.ledger.Certificates(h.t.Context(), issuance.Filter{Order: string(id), Limit: 500})
	h.must(err)
	return list
}

func (h *house) revoked(c issuance.Certificate) bool {
	h.t.Helper()
	s, err := h.ledger.Standing(h.t.Context(), c.Issuer, c.Serial)
	h.must(err)
	return s.Revocation != nil
}

// proveAudit proves the chain of the audit log.
func (h *house) proveAudit() {
	h.t.Helper()
	head, err := h.ledger.AuditHead(h.t.Context())
	h.must(err)
	p, err := audit.Verify(audit.Upto(h.ledger.AuditLog(h.t.Context()), head), head)
	h.must(err)
	if p.Broken != nil || p.Entries == 0 {
		h.t.Errorf("the audit chain of %d entries is broken: %v", p.Entries, p.Broken)
	}
}

// actions are the entries of an order's history, oldest first.
func (h *house) actions(id order.ID) []string {
	h.t.Helper()
	list, err := h.ledger.AuditEntries(h.t.Context(), audit.Filter{Subject: "order/" + string(id), Limit: 500})
	h.must(err)
	slices.Reverse(list)
	var out []string
	for _, e := range list {
		out = append(out, e.Action)
	}
	return out
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// csr is a request for addresses, as PEM.
func csr(t testing.TB, key crypto.Signer, addresses ...string) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "Somebody"}, EmailAddresses: addresses}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}
