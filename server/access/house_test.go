package access_test

import (
	"bytes"
	"context"
	"encoding/base32"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/server/access"
	"chancery.example/store"
)

const (
	origin   = "http://localhost:8443"
	password = "copper lantern orbit mosaic"
)

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

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// house is a door-keeper on a real store.
type house struct {
	t     testing.TB
	clock *clock
	store *store.Store
	path  string
	*access.Access
	config access.Config
	// shown are all secrets that were ever shown to somebody.
	shown []string
}

func newHouse(t testing.TB, change ...func(*access.Config)) *house {
	t.Helper()
	h := &house{t: t, clock: &clock{now: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)}, path: filepath.Join(t.TempDir(), "house.db")}
	var err error
	if h.store, err = store.Open(context.Background(), store.Config{Path: h.path, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.store.Close(); err != nil {
			t.Error(err)
		}
	})
	sealer, err := access.NewSealer(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	c := access.Config{Ledger: h.store, Now: h.clock.Now, Origin: origin, House: "Test House", Sealer: sealer, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(&c)
	}
	h.config = c
	h.Access = h.node()
	return h
}

// node is one more node of the same house.
func (h *house) node() *access.Access {
	h.t.Helper()
	a, err := access.New(h.config)
	h.must(err)
	a.CheapHashing()
	return a
}

// stumbling is the real store, except that commits fail when a test says so: the worst moment to do so.
type stumbling struct {
	*store.Store
	fails func(access.Change) bool
}

func (s *stumbling) CommitAccess(ctx context.Context, c access.Change) error {
	if s.fails != nil && s.fails(c) {
		return fault.New(fault.Unavailable, "store.not-stored", "The database failed.")
	}
	return s.Store.CommitAccess(ctx, c)
}

// browser is somebody's browser: it keeps the cookie.
type browser struct {
	h       *house
	address string
	cookie  *http.Cookie
	header  http.Header
}

func (h *house) browser() *browser {
	return &browser{h: h, address: "192.0.2.1:40000", header: http.Header{"User-Agent": {"test browser"}}}
}

// in runs f inside of one request of this browser.
func (b *browser) in(f func(ctx context.Context) error) error {
	b.h.t.Helper()
	r := httptest.NewRequest(http.MethodPost, origin+"/", nil)
	r.RemoteAddr = b.address
	r.Header = b.header.Clone()
	if b.cookie != nil {
		r.AddCookie(b.cookie)
	}
	w := httptest.NewRecorder()
	var result error
	ran := false
	refuse := func(_ http.ResponseWriter, _ *http.Request, err error) { ran, result = true, err }
	b.h.Authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ran, result = true, f(r.Context())
		io.WriteString(w, "ok")
	}), refuse).ServeHTTP(w, r)
	if !ran {
		return errors.New("the handler did not run")
	}
	for _, c := range w.Result().Cookies() {
		if b.cookie = c; c.MaxAge < 0 {
			b.cookie = nil
		}
	}
	return result
}

// who is the principal that a request of this browser has.
func (b *browser) who() (who access.Principal) {
	b.h.t.Helper()
	b.h.must(b.in(func(ctx context.Context) error { who = access.From(ctx); return nil }))
	return who
}

func (h *house) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("%v (%s)", err, fault.CodeOf(err))
	}
}

// refused checks an error's kind and code.
func (h *house) refused(err error, kind fault.Kind, code string) {
	h.t.Helper()
	if !fault.Is(err, kind) || fault.CodeOf(err) != code {
		h.t.Errorf("got %v (%s, %s), want %s with code %s", err, fault.KindOf(err), fault.CodeOf(err), kind, code)
	}
}

// secretOf is the secret of an otpauth URI.
func secretOf(t testing.TB, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("secret")
}

// code is what an authenticator app shows now.
func (h *house) code(secret string) string {
	h.t.Helper()
	c, err := totp.GenerateCode(secret, h.clock.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// person is somebody who has an account with password and authenticator app.
type person struct {
	*browser
	id     access.AccountID
	email  string
	secret string // of the app
	codes  []string
}

// settle sets an account up by a link, with a password and an app.
func (h *house) settle(link access.Secret, email string) *person {
	h.t.Helper()
	p := &person{browser: h.browser(), email: email}
	h.must(p.in(func(ctx context.Context) error {
		w, err := h.StartSetup(ctx, string(link))
		if err != nil {
			return err
		}
		p.secret = secretOf(h.t, w.TOTP.URI)
		done, err := h.CompleteSetup(ctx, string(link), access.Completion{Name: "Somebody", Email: email, Password: password,
			Enrolment: w.TOTP.ID, Code: h.code(p.secret)})
		p.id, p.codes = done.Account.ID, done.RecoveryCodes
		return err
	}))
	h.shown = append(append(h.shown, string(link), password, p.secret), p.codes...)
	h.clock.pass(time.Minute) // the next code is another one
	return p
}

// first sets the first administrator up.
func (h *house) first() *person {
	h.t.Helper()
	link, err := h.SetupLink(context.Background())
	h.must(err)
	return h.settle(link, "root@example.com")
}

// hire has an administrator invite somebody, who sets their account up.
func (h *house) hire(by *person, email string, roles ...access.Role) *person {
	h.t.Helper()
	var link access.Secret
	h.must(by.in(func(ctx context.Context) (err error) {
		_, link, err = h.Invite(ctx, access.Invitee{Name: "Somebody else", Email: email, Roles: roles})
		return err
	}))
	return h.settle(link, email)
}

// signIn signs in with the right password and a fresh code.
func (p *person) signIn() error {
	p.h.clock.pass(time.Minute)
	return p.try(password, p.h.code(p.secret))
}

func (p *person) try(password, code string) error {
	return p.in(func(ctx context.Context) error {
		_, err := p.h.SignIn(ctx, p.email, password, code)
		return err
	})
}

// operator is a context of the socket in the data directory.
func operator() context.Context {
	return access.As(context.Background(), access.Principal{Kind: access.Operator})
}

// entries are the audit entries with this action, oldest first.
func (h *house) entries(action string) (found []audit.Entry) {
	h.t.Helper()
	for e, err := range h.store.AuditLog(context.Background()) {
		h.must(err)
		if e.Action == action {
			found = append(found, e)
		}
	}
	return found
}

// nothingShownIsStored reads the database's files and looks for the secrets.
func (h *house) nothingShownIsStored() {
	h.t.Helper()
	files, err := filepath.Glob(h.path + "*")
	h.must(err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		h.must(err)
		for _, s := range h.shown {
			forms := []string{s, strings.ReplaceAll(s, "-", "")}
			if b, err := base32.StdEncoding.DecodeString(s); err == nil {
				forms = append(forms, string(b))
			}
			for _, form := range forms {
				if len(form) >= 8 && bytes.Contains(raw, []byte(form)) {
					h.t.Errorf("%s holds the secret %q", filepath.Base(f), s)
				}
			}
		}
		if !bytes.Contains(raw, []byte("root@example.com")) && strings.HasSuffix(f, ".db-wal") {
			h.t.Errorf("%s does not hold what it should: the search above proves nothing", filepath.Base(f))
		}
	}
}
