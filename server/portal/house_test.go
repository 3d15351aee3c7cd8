package portal_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/mail"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"chancery.example/app"
	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/keystore"
	"chancery.example/config"
	"chancery.example/mailbox"
	"chancery.example/notify"
	"chancery.example/ra/agreement"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
)

// house is a whole house on loopback, with its own data directory: the portal is tested on the real parts.
type house struct {
	*app.House
	t      testing.TB
	doors  app.Doors
	log    *logBuffer
	outbox *notify.Outbox
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

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// openHouse makes a house and opens its doors until the test ends.
func openHouse(t testing.TB, clock func() time.Time) *house {
	t.Helper()
	c := config.Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	c.Portal.Listen = "127.0.0.1:" + freePort(t)
	c.Public.Listen = "127.0.0.1:" + freePort(t)
	plan := ceremony.Default()
	plan.PublicURL = "http://" + c.Public.Listen
	if err := app.Make(t.Context(), c, app.Making{Plan: plan, Protection: keystore.Clear(), By: audit.Actor{Kind: audit.Operator}, Now: clock(), Say: func(string) {}}); err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, log: &logBuffer{}}
	var err error
	if h.House, err = app.Open(t.Context(), c, app.Options{Log: slog.New(slog.NewTextHandler(h.log, nil)), Clock: clock}); err != nil {
		t.Fatal(err)
	}
	if h.outbox, err = notify.OpenOutbox(filepath.Join(c.Data, "outbox"), mail.Address{Address: "chancery@localhost"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ready, done := make(chan app.Doors, 1), make(chan error, 1)
	go func() { done <- h.Run(ctx, func(d app.Doors) { ready <- d }) }()
	t.Cleanup(func() {
		cancel()
		<-done
		h.Close()
		if t.Failed() {
			t.Logf("the house's log:\n%s", h.log)
		}
	})
	select {
	case h.doors = <-ready:
	case err := <-done:
		done <- err
		t.Fatalf("the house did not open: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the house did not open in 30 seconds")
	}
	return h
}

// browser is somebody with a cookie jar.
type browser struct {
	t      testing.TB
	client *http.Client
	origin string
	lang   string
}

func (h *house) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return &browser{t: h.t, origin: h.doors.Portal, lang: "en",
		client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// answer is what came back, read whole.
type answer struct {
	*http.Response
	body string
}

func (b *browser) do(r *http.Request) answer {
	b.t.Helper()
	r.Header.Set("Accept-Language", b.lang)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, 4<<20))
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{Response: res, body: string(data)}
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.origin+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

func (b *browser) post(path string, fields ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, b.origin+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

var (
	hidden = map[string]*regexp.Regexp{}
	mu     sync.Mutex
)

// value is what a hidden field of a page holds.
func value(t testing.TB, page, name string) string {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if hidden[name] == nil {
		hidden[name] = regexp.MustCompile(`name="` + regexp.QuoteMeta(name) + `" value="([^"]*)"`)
	}
	m := hidden[name].FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the page has no field %q:\n%s", name, page)
	}
	return strings.NewReplacer("&amp;", "&", "&#34;", `"`).Replace(m[1])
}

const goodPassword = "marble-otter-lantern-quilt"

// join follows a set-up link or invitation with a password and an authenticator app, and stays signed in.
func (h *house) join(link, name, email string) *browser {
	h.t.Helper()
	b := h.browser()
	path := strings.TrimPrefix(link, h.doors.Portal)
	page := b.get(path)
	if page.StatusCode != http.StatusOK {
		h.t.Fatalf("GET %s: %s\n%s", path, page.Status, page.body)
	}
	secret, err := url.Parse(value(h.t, page.body, "uri"))
	if err != nil {
		h.t.Fatal(err)
	}
	code, err := totp.GenerateCode(secret.Query().Get("secret"), time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	done := b.post(path, "name", name, "email", email, "way", "app", "password", goodPassword, "code", code,
		"enrolment", value(h.t, page.body, "enrolment"), "uri", value(h.t, page.body, "uri"), "typed", value(h.t, page.body, "typed"))
	if done.StatusCode != http.StatusOK || !strings.Contains(done.body, `class="codes"`) {
		h.t.Fatalf("setting up %s: %s\n%s", email, done.Status, done.body)
	}
	return b
}

// administrator sets up the first account.
func (h *house) administrator() *browser {
	h.t.Helper()
	return h.join(h.doors.Setup, "Ada", "ada@example.com")
}

var inviteLink = regexp.MustCompile(`data-value="(http[^"]*/invite/[^"]*)"`)

// somebody invites a person with a role and signs them in.
func (h *house) somebody(admin *browser, role access.Role) *browser {
	h.t.Helper()
	email := string(role) + "@example.com"
	page := admin.post("/admin/accounts/invite", "name", string(role), "email", email, "role", string(role), "language", "en")
	m := inviteLink.FindStringSubmatch(page.body)
	if m == nil {
		h.t.Fatalf("inviting a %s: %s\n%s", role, page.Status, page.body)
	}
	return h.join(m[1], string(role), email)
}

// place orders a certificate for an address.
func (h *house) place(address string) order.Order {
	h.t.Helper()
	to, err := mailbox.Parse(address)
	if err != nil {
		h.t.Fatal(err)
	}
	book, err := agreement.Open()
	if err != nil {
		h.t.Fatal(err)
	}
	text := book.In("en")
	o, err := h.Conductor.Submit(h.t.Context(), workflow.Application{Mailbox: to, Language: "en", Agreement: text.Version, AgreementSHA256: text.SHA256, By: audit.Actor{Kind: audit.Applicant}})
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

// letter waits for a link of a kind in the mails to an address, and gives its path.
func (h *house) letter(address, prefix string) string {
	h.t.Helper()
	find := regexp.MustCompile(regexp.QuoteMeta(h.doors.Portal+prefix) + `[a-z2-7]{32}`)
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, text := range h.letters(address) {
			if link := find.FindString(text); link != "" {
				return strings.TrimPrefix(link, h.doors.Portal)
			}
		}
	}
	h.t.Fatalf("no mail to %s has a link to %s", address, prefix)
	return ""
}
