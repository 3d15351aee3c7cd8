package portal_test

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdp "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"chancery.example/ra/order"
)

// confirmed orders for an address and confirms it; the pick-up link comes back.
func (h *house) confirmed(address string) (string, order.Order) {
	h.t.Helper()
	o := h.place(address)
	res := h.browser().post(h.letter(address, "/confirm/"))
	if res.StatusCode != http.StatusSeeOther {
		h.t.Fatalf("confirming: %s\n%s", res.Status, res.body)
	}
	return res.Header.Get("Location"), o
}

func (h *house) state(o order.Order) order.State {
	h.t.Helper()
	at, err := h.Conductor.View(h.t.Context(), o.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	return at.State
}

// openssl runs OpenSSL with a password in the environment.
func openssl(t *testing.T, args ...string) string {
	t.Helper()
	c := exec.Command("openssl", args...)
	c.Env = append(os.Environ(), "PASS="+goodPassword)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestOrderingByForm(t *testing.T) {
	h := openHouse(t, time.Now)
	b := h.browser()
	b.lang = "de"
	form := b.get("/order").body
	res := b.post("/order", "address", "heidi@example.com", "agree", "yes", "language", "de", "version", value(t, form, "version"), "sha256", value(t, form, "sha256"))
	if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "heidi@<wbr>example.com") {
		t.Fatalf("ordering: %s\n%s", res.Status, res.body)
	}
	link := h.letter("heidi@example.com", "/confirm/")
	b.lang = "en" // the browser speaks English, but the order is German
	page := b.get(link)
	if !strings.Contains(page.body, `lang="de"`) || !strings.Contains(page.body, "Ist das Ihr Postfach?") {
		t.Errorf("the page of a German order is not German:\n%s", page.body)
	}
	if again := b.get(link); again.StatusCode != http.StatusOK {
		t.Errorf("opening the link used it up: %s", again.Status)
	}
	old := b.post("/order", "address", "heidi@example.com", "agree", "yes", "version", "2020-01", "sha256", strings.Repeat("0", 64))
	if old.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(old.body, `href="#agree"`) {
		t.Errorf("an agreement that is not in force: %s", old.Status)
	}
}

func TestDisowningAnOrder(t *testing.T) {
	h := openHouse(t, time.Now)
	o := h.place("ivan@example.com")
	link := h.letter("ivan@example.com", "/confirm/")
	if res := h.browser().post(link + "/disown"); res.StatusCode != http.StatusOK {
		t.Fatalf("disowning: %s\n%s", res.Status, res.body)
	}
	if got := h.state(o); got != order.Cancelled {
		t.Errorf("the order is %s", got)
	}
}

func TestPickingUpByForm(t *testing.T) {
	h := openHouse(t, time.Now)
	link, o := h.confirmed("judy@example.com")
	b := h.browser()
	t.Run("a weak password is refused and makes no key", func(t *testing.T) {
		res := b.post(link, "program", "outlook", "password", "password1234")
		if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.body, `href="#password"`) {
			t.Errorf("%s\n%s", res.Status, res.body)
		}
	})
	t.Run("the file opens with OpenSSL", func(t *testing.T) {
		res := b.post(link, "program", "thunderbird", "password", goodPassword)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Disposition") != `attachment; filename="judy@example.com.p12"` || res.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s %v\n%.300s", res.Status, res.Header, res.body)
		}
		file := filepath.Join(t.TempDir(), "judy.p12")
		if err := os.WriteFile(file, []byte(res.body), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := openssl(t, "pkcs12", "-in", file, "-passin", "env:PASS", "-nodes", "-info"); !strings.Contains(out, "AES-256-CBC") || !strings.Contains(out, "PRIVATE KEY") {
			t.Errorf("OpenSSL reads\n%s", out)
		}
	})
	t.Run("a second click asks whether it worked", func(t *testing.T) {
		res := b.post(link, "program", "thunderbird", "password", goodPassword)
		if res.StatusCode != http.StatusConflict || !strings.Contains(res.body, link+"/received") {
			t.Errorf("%s\n%s", res.Status, res.body)
		}
	})
	first := ""
	t.Run("again makes a new key, and GnuPG gets the old encoding", func(t *testing.T) {
		at, err := h.Conductor.View(t.Context(), o.ID)
		if err != nil {
			t.Fatal(err)
		}
		first = string(at.Certificate.Serial)
		res := b.post(link, "program", "gpg", "password", goodPassword, "again", "yes")
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s\n%s", res.Status, res.body)
		}
		file := filepath.Join(t.TempDir(), "judy.p12")
		if err := os.WriteFile(file, []byte(res.body), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := openssl(t, "pkcs12", "-in", file, "-passin", "env:PASS", "-nodes", "-info", "-legacy"); !strings.Contains(out, "pbeWithSHA1And3-KeyTripleDES-CBC") {
			t.Errorf("OpenSSL reads\n%s", out)
		}
		if at, err = h.Conductor.View(t.Context(), o.ID); err != nil || string(at.Certificate.Serial) == first {
			t.Error("the certificate is the first one still", err)
		}
	})
	t.Run("it arrived", func(t *testing.T) {
		if res := b.post(link+"/received", "program", "gpg"); res.Header.Get("Location") != link+"?program=gpg" {
			t.Fatalf("leads to %q", res.Header.Get("Location"))
		}
		if h.state(o) != order.Delivered {
			t.Errorf("the order is %s", h.state(o))
		}
		if page := b.get(link + "?program=gpg"); !strings.Contains(page.body, `<details class="program" open>`) {
			t.Error("the instructions of the program are not open")
		}
	})
}

func TestPickingUpWithARequest(t *testing.T) {
	h := openHouse(t, time.Now)
	link, _ := h.confirmed("ken@example.com")
	dir := t.TempDir()
	csr := filepath.Join(dir, "ken.csr")
	openssl(t, "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", filepath.Join(dir, "ken.key"), "-subj", "/CN=ken@example.com", "-out", csr)
	raw, err := os.ReadFile(csr)
	if err != nil {
		t.Fatal(err)
	}
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	w.WriteField("way", "own")
	part, err := w.CreateFormFile("file", "ken.csr")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(raw)
	w.Close()
	b := h.browser()
	r, err := http.NewRequest(http.MethodPost, b.origin+link, &form)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", w.FormDataContentType())
	res := b.do(r)
	if res.StatusCode != http.StatusOK || strings.Count(res.body, "BEGIN CERTIFICATE") < 2 {
		t.Fatalf("%s\n%.500s", res.Status, res.body)
	}
	large := b.post(link, "way", "own", "request", strings.Repeat("A", 10<<20))
	if large.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a request of 10 MB: %s", large.Status)
	}
}

func TestAskingForANewLink(t *testing.T) {
	at := time.Now()
	var late time.Duration
	h := openHouse(t, func() time.Time { return at.Add(late) })
	h.place("laura@example.com")
	link := h.letter("laura@example.com", "/confirm/")
	late = 25 * time.Hour
	b := h.browser()
	page := b.get(link)
	if page.StatusCode != http.StatusGone || !strings.Contains(page.body, `action="/again/confirm/`) {
		t.Fatalf("a link of yesterday: %s\n%s", page.Status, page.body)
	}
	if res := b.post("/again" + link); res.StatusCode != http.StatusOK {
		t.Fatalf("asking: %s\n%s", res.Status, res.body)
	}
	deadline := time.Now().Add(15 * time.Second)
	for len(h.letters("laura@example.com")) < 2 {
		if time.Now().After(deadline) {
			t.Fatal("no second mail")
		}
		time.Sleep(20 * time.Millisecond)
	}
	if fresh := h.letter("laura@example.com", "/confirm/"); fresh == link || b.get(fresh).StatusCode != http.StatusOK {
		t.Errorf("the new link %s does not work", fresh)
	}
	for range 3 {
		b.post("/again" + link)
	}
	if res := b.post("/again" + link); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the mailbox can be flooded: %s", res.Status)
	}
	if res := b.post("/again/status" + strings.TrimPrefix(link, "/confirm")); res.StatusCode != http.StatusNotFound {
		t.Errorf("a confirmation link as a status link: %s", res.Status)
	}
}

func TestNobodyLearnsWhoOrdered(t *testing.T) {
	h := openHouse(t, time.Now)
	h.place("mallory@example.com")
	h.letter("mallory@example.com", "/confirm/")
	b := h.browser()
	known := strings.ReplaceAll(b.post("/check", "address", "mallory@example.com").body, "mallory", "X")
	unknown := strings.ReplaceAll(b.post("/check", "address", "trent@example.com").body, "trent", "X")
	if known != unknown {
		t.Errorf("the answers differ:\n%s\n%s", known, unknown)
	}
}

func TestPickingUpInABrowserLeadsOnByItself(t *testing.T) {
	ctx := chromium(t)
	h := openHouse(t, time.Now)
	link, o := h.confirmed("niaj@example.com")
	dir := t.TempDir()
	var meter, heading string
	run(t, ctx, cdp.SetDownloadBehavior(cdp.SetDownloadBehaviorBehaviorAllow).WithDownloadPath(dir),
		chromedp.Navigate(h.doors.Portal+link), chromedp.WaitVisible("#password"),
		chromedp.Click("#program-thunderbird"), chromedp.SendKeys("#password", goodPassword),
		chromedp.WaitVisible("#strength meter"), chromedp.Text("#strength p", &meter),
		chromedp.Click("#pickup > button[type=submit]"),
		chromedp.WaitVisible(`form[action$="/received"]`), chromedp.Text("h1", &heading))
	if meter != "Very strong." || heading != "Did it work?" {
		t.Errorf("the meter says %q, the page %q", meter, heading)
	}
	if got := h.state(o); got != order.Issued {
		t.Errorf("the order is %s", got)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(files) != 1 {
		t.Fatalf("%d files were saved", len(files))
	}
	run(t, ctx, chromedp.Click(`form[action$="/received"] button`), chromedp.WaitVisible("p.status.done"))
	if got := h.state(o); got != order.Delivered {
		t.Errorf("the order is %s", got)
	}
}

func TestTheLogFiltersAsOneTypes(t *testing.T) {
	ctx := chromium(t)
	s := &stage{house: openHouse(t, time.Now)}
	s.admin = s.administrator()
	s.place("olivia@example.com")
	s.place("peggy@example.com")
	var at, rows string
	run(t, ctx, s.wear(s.admin), chromedp.Navigate(s.doors.Portal+"/admin/orders?lang=en"), chromedp.WaitVisible("#q"),
		chromedp.SendKeys("#q", "peg"), chromedp.ActionFunc(func(ctx context.Context) error {
			return chromedp.Poll(`document.querySelectorAll("#list tbody tr").length === 1`, nil, chromedp.WithPollingTimeout(5*time.Second)).Do(ctx)
		}), chromedp.Text("#list tbody", &rows), chromedp.Location(&at))
	if !strings.Contains(rows, "peggy@example.com") || !strings.Contains(at, "q=peg") {
		t.Errorf("at %s the table shows %s", at, rows)
	}
}

func TestTheFirstPageIsSmall(t *testing.T) {
	h := openHouse(t, time.Now)
	b := h.browser()
	total := 0
	page := b.get("/")
	total += len(page.body)
	for _, part := range strings.Split(page.body, `="/assets/`)[1:] {
		path := "/assets/" + part[:strings.IndexByte(part, '"')]
		r, err := http.NewRequest(http.MethodGet, b.origin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", "gzip") // asked for by hand, so that the client leaves it as it is
		res := b.do(r)
		if res.StatusCode != http.StatusOK || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %s, %s", path, res.Status, res.Header.Get("Cache-Control"))
		}
		total += len(res.body)
	}
	if total > 100_000 {
		t.Errorf("the first page weighs %d octets compressed", total)
	}
	old := b.get("/assets/000000000000/app.css")
	if old.StatusCode != http.StatusOK || strings.Contains(old.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("a file of another release: %s, %s", old.Status, old.Header.Get("Cache-Control"))
	}
	for _, path := range []string{"/assets/0/inter.LICENSE", "/assets/0/..%2fportal.go"} {
		if res := b.get(path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
}
