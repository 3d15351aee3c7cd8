// Package api answers: what do programs say to us?
//
// Everything that the portal can do has its call here, described by an OpenAPI document at /api/openapi.json. Callers
// carry an API token, a session, or come through the socket of the data directory. Errors are problem documents
// (RFC 9457) with the stable code of the fault.
package api

import (
	"context"
	"encoding/json"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/keys/delivery"
	"chancery.example/lifecycle"
	"chancery.example/notify"
	"chancery.example/ra/agreement"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
)

// Orders is what this door needs of the conductor.
type Orders interface {
	Submit(ctx context.Context, a workflow.Application) (order.Order, error)
	Resend(ctx context.Context, id order.ID, by audit.Actor) error
	AskPickup(ctx context.Context, id order.ID, by audit.Actor) error
	Cancel(ctx context.Context, id order.ID, why string, by audit.Actor) error
	View(ctx context.Context, id order.ID) (workflow.Page, error)
	Fetch(ctx context.Context, id order.ID) (delivery.Parcel, error)
}

// Desk is what it needs of the life after birth.
type Desk interface {
	Revoke(ctx context.Context, s issuance.Serial, why status.Reason, by audit.Actor) error
	Renew(ctx context.Context, s issuance.Serial, r lifecycle.Renewal) (order.Order, error)
}

// Ledger is what it reads.
type Ledger interface {
	Order(ctx context.Context, id order.ID) (order.Order, error)
	Orders(ctx context.Context, f order.Filter) ([]order.Order, error)
	Certificate(ctx context.Context, s issuance.Serial) (issuance.Certificate, error)
	Certificates(ctx context.Context, f issuance.Filter) ([]issuance.Certificate, error)
	Standing(ctx context.Context, issuer string, s issuance.Serial) (status.Standing, error)
	Mails(ctx context.Context, f notify.Filter) ([]notify.Mail, error)
	AuditEntries(ctx context.Context, f audit.Filter) ([]audit.Entry, error)
	AuditLog(ctx context.Context) iter.Seq2[audit.Entry, error]
	AuditHead(ctx context.Context) (audit.Head, error)
	Census(ctx context.Context, now time.Time) (lifecycle.Census, error)
}

// Deps are the parts that the API leads to.
type Deps struct {
	Orders     Orders
	Desk       Desk
	Ledger     Ledger
	Agreements *agreement.Book
	Rights     *access.Rights
	Limiter    *access.Limiter
	Now        func() time.Time
	Log        *slog.Logger
}

// Limits are for programs that somebody known has let in: an onboarding may order for thousands of mailboxes, but a single
// mailbox is not flooded, and a runaway script is slowed.
func Limits() map[access.Door]access.Limit {
	return map[access.Door]access.Limit{
		access.DoorOrder: {Burst: 2000, Every: 5 * time.Millisecond},
		access.DoorMail:  {Burst: 5, Every: 10 * time.Minute},
	}
}

// Route is one call with the action that it is, for the tests that walk them as every role.
type Route struct {
	Method, Path string
	Action       access.Action
}

// API is the door. It is an http.Handler for everything under /api/.
type API struct {
	Deps
	mux    *http.ServeMux
	huma   huma.API
	routes []Route
}

// New makes the door.
func New(d Deps) *API {
	a := &API{Deps: d, mux: http.NewServeMux()}
	c := huma.DefaultConfig("Chancery", "1")
	c.Info.Description = "Orders, certificates and the records of a house. Every call carries an API token as a bearer token."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil // no $schema in answers
	c.Transformers = []huma.Transformer{translate}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "An API token, made on the account page: chy_…"},
	}
	a.huma = humago.New(a.mux, c)
	a.orders()
	a.certificates()
	a.records()
	a.forgetErrorModel()
	a.mux.HandleFunc("GET /api/openapi.json", a.document)
	a.mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		a.Refuse(w, r, fault.New(fault.NotFound, "api.unknown", "There is no such call. All of them are described at /api/openapi.json."))
	})
	return a
}

// Routes lists every call.
func (a *API) Routes() []Route { return a.routes }

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody+1) // the framework refuses at maxBody, and says so
	a.mux.ServeHTTP(w, r)
}

// maxBody bounds what a call may send, in octets: a request of 64 KiB in JSON, with room.
const maxBody = 256 << 10

// Document is the OpenAPI document, indented.
func (a *API) Document() ([]byte, error) {
	raw, err := a.huma.OpenAPI().MarshalJSON()
	if err != nil {
		return nil, err
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(v, "", "  ")
	return append(out, '\n'), err
}

func (a *API) document(w http.ResponseWriter, r *http.Request) {
	raw, err := a.Document()
	if err != nil {
		a.Refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/openapi+json")
	w.Write(raw)
}

// call registers one call. An action on the house is allowed or refused here, before anything of the request is read;
// one on an order or a certificate is by the handler, when it has found it.
func call[I, O any](a *API, do access.Action, op huma.Operation, h func(context.Context, *I) (*O, error)) {
	onHouse := false
	for _, m := range access.Actions {
		onHouse = onHouse || m.Action == do && m.On == access.House
	}
	op.Security = []map[string][]string{{"token": {}}}
	op.MaxBodyBytes = maxBody
	op.Responses = a.problems(op.Responses)
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		if err := a.admit(access.From(ctx.Context()), do, onHouse); err != nil {
			r, w := humago.Unwrap(ctx)
			a.Refuse(w, r, err)
			return
		}
		next(ctx)
	}}
	a.routes = append(a.routes, Route{Method: op.Method, Path: op.Path, Action: do})
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, err)
		}
		return out, nil
	})
}

// admit lets in who is signed in and, where the action is on the house, may do it.
func (a *API) admit(who access.Principal, do access.Action, onHouse bool) error {
	if !who.SignedIn() {
		return fault.New(fault.Anonymous, "api.token", "This call needs an API token. Make one on your account page and send it as: Authorization: Bearer chy_…")
	}
	if !onHouse {
		return nil
	}
	return a.Rights.Allow(who, do, access.Resource{})
}
