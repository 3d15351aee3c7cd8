// Package portal answers: what do people see and do in a browser?
//
// Every page follows one grammar: a status is a sentence, then a colour; one primary button; a refusal says why, with
// the rule's id in small print; what can be clicked can be scripted, and the page shows how. Pages work without
// JavaScript where a browser can; scripts only copy, localise times, filter tables while one types, show how strong a
// password is, and talk to passkeys. Nothing comes from another host.
//
// Texts live in locales/, templates in templates/, both embedded. Routes lists every route with the action that it
// is, so that a test can walk all of them as each role.
package portal

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"chancery.example/audit"
	"chancery.example/server/access"
)

// Options are what a Portal is made of. All fields are needed but the last two.
type Options struct {
	Orders     Orders
	Agreements Agreements
	Desk       Desk
	Ledger     Ledger
	Outbox     Outbox
	Authority  Authority
	Access     Access
	// Proof reads the whole audit log and checks its chain.
	Proof func(ctx context.Context) (audit.Proof, error)
	House func() House
	// Limits are of what anybody can trigger; nil for those that a person never meets.
	Limits map[access.Door]access.Limit
	Clock  func() time.Time // time.Now
	Log    *slog.Logger     // slog.Default()
}

// Portal is the door for people. It is safe for concurrent use.
type Portal struct {
	Options
	words  map[string]words
	pages  pages
	assets *assets
	limits limits
	mux    *http.ServeMux
}

// New makes the door. An error means that a template or a catalogue is broken, or that a part is missing.
func New(o Options) (*Portal, error) {
	if o.Orders == nil || o.Agreements == nil || o.Desk == nil || o.Ledger == nil || o.Outbox == nil || o.Authority == nil ||
		o.Access == nil || o.Proof == nil || o.House == nil {
		return nil, errors.New("portal: a part is missing in Options")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	p := &Portal{Options: o, limits: newLimits(o.Limits, o.Clock), mux: http.NewServeMux()}
	var err error
	if p.words, err = loadWords(); err != nil {
		return nil, err
	}
	if p.assets, err = loadAssets(assetFiles); err != nil {
		return nil, err
	}
	if p.pages, err = loadPages(p.words, p.assets, o.Clock); err != nil {
		return nil, err
	}
	for _, route := range p.Routes() {
		p.mux.Handle(route.Method+" "+route.Pattern, route.Handler)
	}
	p.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { p.fail(w, r, errNoPage) })
	return p, nil
}

// ServeHTTP answers one request. Whoever calls it has put Access.Middleware before it.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// maxForm bounds what a form may send, files included: a PKCS#10 request has a few kilobytes.
const maxForm = 256 << 10

// handler is a page: it writes an answer or returns an error, which becomes an error page.
type handler func(w http.ResponseWriter, r *http.Request) error

// open is a page for anybody.
func (p *Portal) open(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := readForm(r); err != nil {
				p.fail(w, r, err)
				return
			}
		}
		p.keepLanguage(w, r)
		if err := h(w, r); err != nil {
			p.fail(w, r, err)
		}
	})
}
