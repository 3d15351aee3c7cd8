package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chancery.example/app"
	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/keystore"
	"chancery.example/config"
	"chancery.example/fault"
	"chancery.example/ra/agreement"
	"chancery.example/server/access"
	"chancery.example/server/api"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// door is the API on the parts of a real house; who asks is put into the context, as Authenticate does.
type door struct {
	*api.API
	t     *testing.T
	house *app.House
	text  agreement.Text
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newDoor(t *testing.T) *door {
	t.Helper()
	c := config.Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	c.Portal.Listen, c.Public.Listen = freePort(t), freePort(t)
	plan := ceremony.Default()
	plan.PublicURL = "http://pki.example.com"
	if err := app.Make(t.Context(), c, app.Making{Plan: plan, Protection: keystore.Clear(), By: audit.Actor{Kind: audit.Operator}, Now: time.Now(), Say: func(string) {}}); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	h, err := app.Open(t.Context(), c, app.Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	book, err := agreement.Open()
	if err != nil {
		t.Fatal(err)
	}
	return &door{t: t, house: h, text: book.In("en"), API: api.New(api.Deps{Orders: h.Conductor, Desk: h.Desk, Ledger: h.Store, Agreements: book, Rights: h.Access.Rights,
		Limiter: access.NewLimiter(access.DefaultLimits(), nil), Now: time.Now, Log: log})}
}

// recorder is an answer.
type recorder struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(s int) {
	if r.status == 0 {
		r.status = s
	}
}
func (r *recorder) Write(p []byte) (int, error) { r.WriteHeader(200); return r.body.Write(p) }

// ask sends a call as somebody.
func (d *door) ask(who access.Principal, method, path, body string) *recorder {
	d.t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(access.As(context.Background(), who), method, path, in)
	if err != nil {
		d.t.Fatal(err)
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := &recorder{header: http.Header{}}
	d.ServeHTTP(w, r)
	return w
}

// problem reads an answer as a problem document (RFC 9457) and holds that it is a whole one.
func (d *door) problem(w *recorder) api.Problem {
	d.t.Helper()
	var p api.Problem
	if err := json.Unmarshal(w.body.Bytes(), &p); err != nil {
		d.t.Fatalf("%d is no problem document: %v\n%.300s", w.status, err, w.body.String())
	}
	if got := w.header.Get("Content-Type"); got != "application/problem+json" {
		d.t.Errorf("its type is %q", got)
	}
	if p.Status != w.status || p.Title != http.StatusText(w.status) || p.Code == "" || p.Detail == "" {
		d.t.Errorf("%d says too little: %s", w.status, w.body.String())
	}
	return p
}

func person(id string, roles ...access.Role) access.Principal {
	return access.Principal{Kind: access.Person, Account: access.AccountID(id), Email: id + "@example.com", Roles: roles}
}

var operator = access.Principal{Kind: access.Operator, Name: "operator"}

func (d *door) order(mailbox string) string {
	d.t.Helper()
	return `{"mailbox":"` + mailbox + `","agreement":"` + d.text.Version + `","agreement_sha256":"` + d.text.SHA256 + `"}`
}

// place orders for a mailbox and gives the order's ID.
func (d *door) place(who access.Principal, mailbox string) string {
	d.t.Helper()
	w := d.ask(who, "POST", "/api/v1/orders", d.order(mailbox))
	var o api.Order
	if err := json.Unmarshal(w.body.Bytes(), &o); err != nil || w.status != http.StatusCreated || o.ID == "" {
		d.t.Fatalf("ordering: %d %s", w.status, w.body.String())
	}
	return o.ID
}

func TestOpenAPIDocumentIsTheCommittedOne(t *testing.T) {
	d := api.New(api.Deps{})
	raw, err := d.Document()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", raw, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil || !bytes.Equal(raw, want) {
		t.Errorf("the calls are not those of openapi.json (%v): run go test ./server/api -update", err)
	}
	for _, r := range d.Routes() {
		if !bytes.Contains(raw, []byte(`"`+r.Path+`"`)) {
			t.Errorf("%s is not described", r.Path)
		}
	}
	if bytes.Contains(raw, []byte("ErrorModel")) || !bytes.Contains(raw, []byte("#/components/schemas/Problem")) {
		t.Error("errors are described as something else than our problems")
	}
}

func TestTheDocumentIsServedToAnybody(t *testing.T) {
	d := newDoor(t)
	w := d.ask(access.Principal{}, "GET", "/api/openapi.json", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]any
	}
	if err := json.Unmarshal(w.body.Bytes(), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") || len(doc.Paths) == 0 {
		t.Errorf("%d: %v", w.status, err)
	}
}

// Every call as everybody. The answers are written down here and nowhere else: a new call without its row fails.
func TestEveryRouteAsEveryRole(t *testing.T) {
	d := newDoor(t)
	who := map[string]access.Principal{
		"anonymous": {}, "operator": operator,
		"administrator": person("acc_admin", access.Administrator), "specialist": person("acc_spec", access.Specialist), "recovery-officer": person("acc_rec", access.RecoveryOfficer),
		"auditor": person("acc_aud", access.Auditor), "requester": person("acc_req", access.Requester), "subscriber": person("acc_sub", access.Subscriber),
	}
	order := []string{"anonymous", "operator", "administrator", "specialist", "recovery-officer", "auditor", "requester", "subscriber"}
	// The order is somebody else's than the requester's and the subscriber's. 409 means: allowed, but the state says no.
	want := map[string][8]int{
		"POST /api/v1/orders":                       {401, 201, 201, 201, 201, 201, 201, 201},
		"GET /api/v1/orders":                        {401, 200, 200, 200, 403, 200, 403, 403},
		"GET /api/v1/orders/{id}":                   {401, 200, 200, 200, 404, 200, 404, 404},
		"POST /api/v1/orders/{id}/resend":           {401, 202, 202, 202, 404, 403, 404, 404},
		"POST /api/v1/orders/{id}/pickup-link":      {401, 409, 409, 409, 404, 403, 404, 404},
		"POST /api/v1/orders/{id}/cancel":           {401, 200, 200, 200, 404, 403, 404, 404},
		"GET /api/v1/orders/{id}/certificate":       {401, 409, 409, 409, 404, 409, 404, 404},
		"GET /api/v1/certificates":                  {401, 200, 200, 200, 403, 200, 403, 403},
		"GET /api/v1/certificates/{serial}":         {401, 200, 200, 200, 404, 200, 404, 404},
		"POST /api/v1/certificates/{serial}/revoke": {401, 422, 422, 422, 404, 403, 404, 404}, // 422: it is the root's
		"POST /api/v1/certificates/{serial}/renew":  {401, 422, 422, 403, 404, 403, 404, 404},
		"GET /api/v1/agreement":                     {401, 200, 200, 200, 200, 200, 200, 200},
		"GET /api/v1/mails":                         {401, 200, 200, 403, 403, 403, 403, 403},
		"GET /api/v1/audit":                         {401, 200, 200, 403, 403, 200, 403, 403},
		"GET /api/v1/audit/export":                  {401, 200, 200, 403, 403, 200, 403, 403},
		"GET /api/v1/overview":                      {401, 200, 200, 200, 403, 200, 403, 403},
	}
	root := string(serialOf(d))
	for _, r := range d.Routes() {
		name := r.Method + " " + r.Path
		codes, ok := want[name]
		if !ok {
			t.Errorf("%s has no row in this table", name)
			continue
		}
		delete(want, name)
		for i, role := range order {
			id := d.place(operator, strings.ReplaceAll(strings.ToLower(string(r.Action)), ".", "-")+role+http.StatusText(codes[i])[:2]+randomLetters(t)+"@example.com")
			path := strings.NewReplacer("{id}", id, "{serial}", root).Replace(r.Path)
			body := map[string]string{
				"POST /api/v1/orders": d.order(role + "-own@example.com"), "POST /api/v1/orders/{id}/cancel": `{}`,
				"POST /api/v1/certificates/{serial}/revoke": `{"reason":"superseded"}`,
				"POST /api/v1/certificates/{serial}/renew":  `{"agreement":"` + d.text.Version + `","agreement_sha256":"` + d.text.SHA256 + `"}`,
			}[name]
			w := d.ask(who[role], r.Method, path, body)
			if w.status != codes[i] {
				t.Errorf("%s as %s: %d, want %d\n%.200s", name, role, w.status, codes[i], w.body.String())
			}
			if w.status >= 400 {
				d.problem(w)
			}
		}
	}
	for name := range want {
		t.Errorf("%s is in this table and not at the door", name)
	}
}

func serialOf(d *door) string {
	return d.house.Hierarchy.Root.SerialNumber.Text(16)
}

func randomLetters(t *testing.T) string {
	t.Helper()
	return strings.ToLower(strings.ReplaceAll(time.Now().Format("150405.000000000"), ".", ""))
}

func TestHoldersReachWhatIsTheirs(t *testing.T) {
	d := newDoor(t)
	requester, subscriber := person("acc_req", access.Requester), person("holder", access.Subscriber)
	id := d.place(requester, "holder@example.com")
	for name, who := range map[string]access.Principal{"the requester who ordered": requester, "the subscriber of the mailbox": subscriber,
		"a token of the requester": {Kind: access.Program, Account: "acc_req", Token: "tok_1", Roles: access.Roles{access.Requester}}} {
		if w := d.ask(who, "GET", "/api/v1/orders/"+id, ""); w.status != http.StatusOK {
			t.Errorf("%s: %d", name, w.status)
		}
	}
	for name, who := range map[string]access.Principal{"another requester": person("acc_2", access.Requester), "another subscriber": person("other", access.Subscriber), "a token without roles": {Kind: access.Program, Account: "acc_req", Token: "tok_2"}} {
		w := d.ask(who, "GET", "/api/v1/orders/"+id, "")
		unknown := d.ask(who, "GET", "/api/v1/orders/ord_aaaaaaaaaaaaaaaaaaaaaaaaaa", "")
		if w.status != http.StatusNotFound || w.body.String() != unknown.body.String() {
			t.Errorf("%s can tell that the order exists: %s", name, w.body.String())
		}
	}
}

func TestProblems(t *testing.T) {
	d := newDoor(t)
	admin := person("acc_admin", access.Administrator)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"an unknown call", "GET", "/api/v1/everything", "", 404, "api.unknown"},
		{"the root of the API", "GET", "/api/", "", 404, "api.unknown"},
		{"an unknown order", "GET", "/api/v1/orders/ord_none", "", 404, "order.unknown"},
		{"an unknown serial number", "GET", "/api/v1/certificates/00ff", "", 404, "serial.unknown"},
		{"a serial number that is none", "GET", "/api/v1/certificates/zz", "", 422, "serial.malformed"},
		{"an address that is none", "POST", "/api/v1/orders", `{"mailbox":"alice","agreement":"x","agreement_sha256":"y"}`, 422, "mailbox."},
		{"an IP literal, with its own reason", "POST", "/api/v1/orders", `{"mailbox":"alice@[192.0.2.1]","agreement":"x","agreement_sha256":"y"}`, 422, "mailbox.address-literal"},
		{"an agreement that is not in force", "POST", "/api/v1/orders", `{"mailbox":"alice@example.com","agreement":"x","agreement_sha256":"y"}`, 409, "agreement.changed"},
		{"a body without what it needs", "POST", "/api/v1/orders", `{}`, 422, "api.invalid"},
		{"a body with what nobody knows", "POST", "/api/v1/orders", `{"mailbox":"a@example.com","agreement":"x","agreement_sha256":"y","admin":true}`, 422, "api.invalid"},
		{"a body that is no JSON", "POST", "/api/v1/orders", `mailbox=alice`, 400, "api.unreadable"},
		{"no body", "POST", "/api/v1/orders", ``, 400, "api.unreadable"},
		{"a body of 10 MB", "POST", "/api/v1/orders", `{"request":"` + strings.Repeat("A", 10<<20) + `"}`, 413, "api.too-large"},
		{"a limit that is too large", "GET", "/api/v1/orders?limit=100000", "", 422, "api.invalid"},
		{"a reason that holders and staff may not give", "POST", "/api/v1/certificates/" + serialOf(d) + "/revoke", `{"reason":"ca-compromise"}`, 422, "api.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := d.ask(admin, c.method, c.path, c.body)
			p := d.problem(w)
			if w.status != c.status || !strings.HasPrefix(p.Code, c.code) {
				t.Errorf("%d %s, want %d %s: %s", w.status, p.Code, c.status, c.code, p.Detail)
			}
			if p.Code == "api.invalid" && (len(p.Errors) == 0 || p.Errors[0].Where == "" || p.Errors[0].Text == "") {
				t.Errorf("it does not say where: %+v", p)
			}
		})
	}
	t.Run("nothing is read of who has not signed in", func(t *testing.T) {
		if w := d.ask(access.Principal{}, "POST", "/api/v1/orders", `{`); w.status != 401 || d.problem(w).Code != "api.token" {
			t.Errorf("%d", w.status)
		}
	})
}

func TestEveryKindOfFaultHasItsStatus(t *testing.T) {
	d := newDoor(t)
	for kind, status := range map[fault.Kind]int{
		fault.Internal: 500, fault.Invalid: 422, fault.Denied: 403, fault.Anonymous: 401, fault.NotFound: 404, fault.Conflict: 409, fault.Gone: 410,
		fault.TooLarge: 413, fault.Refused: 422, fault.Limited: 429, fault.Unavailable: 503,
	} {
		w := &recorder{header: http.Header{}}
		r, _ := http.NewRequest("GET", "/", nil)
		d.Refuse(w, r, fault.Wrap(io.ErrUnexpectedEOF, kind, "test.code", "This is what is wrong."))
		if p := d.problem(w); w.status != status || p.Code != "test.code" || p.Detail != "This is what is wrong." || strings.Contains(w.body.String(), "EOF") {
			t.Errorf("%v: %d %s", kind, w.status, w.body.String())
		}
	}
	w := &recorder{header: http.Header{}}
	r, _ := http.NewRequest("GET", "/", nil)
	d.Refuse(w, r, io.ErrUnexpectedEOF)
	if p := d.problem(w); w.status != 500 || p.Code != "internal" || strings.Contains(w.body.String(), "EOF") {
		t.Errorf("a foreign error: %s", w.body.String())
	}
}

func TestTooManyOrdersAreToldWhenToComeAgain(t *testing.T) {
	d := newDoor(t)
	who := person("acc_req", access.Requester)
	for i := range 30 {
		w := d.ask(who, "POST", "/api/v1/orders", d.order("alice@example.com"))
		if w.status == http.StatusCreated {
			continue
		}
		p := d.problem(w)
		if w.status != http.StatusTooManyRequests || !strings.HasPrefix(p.Code, "limit.") || i == 0 {
			t.Fatalf("after %d: %d %s", i, w.status, p.Code)
		}
		if after := w.header.Get("Retry-After"); after == "" || after == "0" {
			t.Errorf("Retry-After is %q", after)
		}
		return
	}
	t.Error("thirty orders for one mailbox went through")
}

func TestListsComeInPages(t *testing.T) {
	d := newDoor(t)
	for _, m := range []string{"a", "b", "c"} {
		d.place(operator, m+"@example.com")
	}
	var seen []string
	after := ""
	for range 5 {
		w := d.ask(operator, "GET", "/api/v1/orders?limit=2&after="+after, "")
		var page struct {
			Orders []api.Order
			After  string
		}
		if err := json.Unmarshal(w.body.Bytes(), &page); err != nil || w.status != 200 {
			t.Fatalf("%d %v", w.status, err)
		}
		for _, o := range page.Orders {
			seen = append(seen, o.Mailbox)
		}
		if after = page.After; after == "" {
			break
		}
	}
	if strings.Join(seen, " ") != "c@example.com b@example.com a@example.com" {
		t.Errorf("seen %v", seen)
	}
}

func TestTheExportProvesTheChain(t *testing.T) {
	d := newDoor(t)
	d.place(operator, "alice@example.com")
	w := d.ask(person("acc_aud", access.Auditor), "GET", "/api/v1/audit/export", "")
	head, entries, err := audit.Import(&w.body)
	if err != nil {
		t.Fatal(err)
	}
	p, err := audit.Verify(entries, head)
	if err != nil || p.Broken != nil || p.Entries < 7 {
		t.Errorf("%+v, %v", p, err)
	}
	if got := w.header.Get("Content-Type"); got != "application/jsonl" {
		t.Errorf("its type is %q", got)
	}
}
