package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"chancery.example/approval"
	"chancery.example/fault"
	"chancery.example/mailbox"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
)

// Order is an order as programs see it.
type Order struct {
	ID          string            `json:"id" example:"ord_abcdefghijklmnopqrstuvwxyz"`
	State       string            `json:"state" enum:"confirming,proved,approved,issuing,issued,delivered,revoked,refused,cancelled,expired"`
	Mailbox     string            `json:"mailbox" example:"alice@example.com"`
	Profile     string            `json:"profile" example:"mv-strict"`
	Language    string            `json:"language" example:"en"`
	Agreement   string            `json:"agreement" doc:"The version that was accepted."`
	OrderedBy   string            `json:"ordered_by"`
	Serial      string            `json:"serial,omitempty" doc:"Of its certificate, in hex."`
	Renews      string            `json:"renews,omitempty" doc:"Serial number of the certificate that this one follows."`
	CreatedAt   time.Time         `json:"created_at"`
	ApprovedAt  *time.Time        `json:"approved_at,omitempty"`
	DeliveredAt *time.Time        `json:"delivered_at,omitempty"`
	Deadline    *time.Time        `json:"deadline,omitempty" doc:"Until when the next actor must act."`
	WaitsFor    string            `json:"waits_for,omitempty" doc:"Who must act next." enum:"mailbox,holder,house"`
	Reasons     []approval.Reason `json:"reasons,omitempty" doc:"Why it was refused or cancelled."`
}

// waitsFor says who must act in a state.
var waitsFor = map[order.State]string{order.Confirming: "mailbox", order.Proved: "house", order.Approved: "holder", order.Issuing: "house", order.Issued: "holder"}

func orderOut(o order.Order, now time.Time) Order {
	at := o.StateAt(now)
	out := Order{ID: string(o.ID), State: string(at), Mailbox: o.Mailbox.String(), Profile: o.Profile, Language: o.Language,
		Agreement: o.Agreement.Version, OrderedBy: o.By.String(), Serial: o.Serial, Renews: o.Renews, CreatedAt: o.CreatedAt, Reasons: o.Reasons, WaitsFor: waitsFor[at]}
	out.ApprovedAt, out.DeliveredAt = instant(o.ApprovedAt), instant(o.DeliveredAt)
	if at != order.Expired {
		out.Deadline = instant(o.Deadline())
	}
	return out
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

type orderReply struct{ Body Order }

type newOrder struct {
	Body struct {
		Mailbox         string `json:"mailbox" doc:"The address that the certificate is for." example:"alice@example.com" maxLength:"400"`
		Profile         string `json:"profile,omitempty" doc:"mv-strict (default) or mv-multipurpose." example:"mv-strict" maxLength:"64"`
		Language        string `json:"language,omitempty" doc:"Of mails and pages for the holder." example:"de" maxLength:"35"`
		Agreement       string `json:"agreement" doc:"The version of the subscriber agreement that the holder accepts; see /api/v1/agreement." maxLength:"32"`
		AgreementSHA256 string `json:"agreement_sha256" doc:"The SHA-256 of its text, in hex." maxLength:"64"`
		Request         string `json:"request,omitempty" doc:"A PKCS#10 request as PEM. Without it a key is born at pick-up." maxLength:"100000"`
	}
}

// ByOrder names an order in a path. It is exported because the framework fills embedded fields only then.
type ByOrder struct {
	ID string `path:"id" doc:"The order's ID." maxLength:"64"`
}

type listOrders struct {
	Text  string `query:"text" doc:"Part of the address or the ID." maxLength:"400"`
	State string `query:"state" doc:"Only orders in this state, as stored." maxLength:"32"`
	After string `query:"after" doc:"The last ID of the page before." maxLength:"64"`
	Limit int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
}

type ordersReply struct {
	Body struct {
		Orders []Order `json:"orders"`
		After  string  `json:"after,omitempty" doc:"Ask with this for the next page; absent on the last."`
	}
}

type cancelOrder struct {
	ByOrder
	Body struct {
		Reason string `json:"reason,omitempty" maxLength:"500"`
	}
}

type fileReply struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// orders registers the calls about orders.
func (a *API) orders() {
	call(a, access.OrderCreate, huma.Operation{OperationID: "create-order", Method: http.MethodPost, Path: "/api/v1/orders", DefaultStatus: http.StatusCreated,
		Summary: "Order a certificate", Description: "The mailbox gets a mail and must confirm. With a request, the certificate is made after that and can be fetched here; without, the holder picks it up."}, a.createOrder)
	call(a, access.OrderList, huma.Operation{OperationID: "list-orders", Method: http.MethodGet, Path: "/api/v1/orders", Summary: "Search orders, newest first"}, a.listOrders)
	call(a, access.OrderRead, huma.Operation{OperationID: "get-order", Method: http.MethodGet, Path: "/api/v1/orders/{id}", Summary: "See an order"}, a.getOrder)
	call(a, access.OrderInform, huma.Operation{OperationID: "resend-confirmation", Method: http.MethodPost, Path: "/api/v1/orders/{id}/resend", DefaultStatus: http.StatusAccepted,
		Summary: "Send another confirmation mail", Description: "With a new random value."}, a.resend)
	call(a, access.OrderInform, huma.Operation{OperationID: "send-pickup-link", Method: http.MethodPost, Path: "/api/v1/orders/{id}/pickup-link", DefaultStatus: http.StatusAccepted,
		Summary: "Send a new pick-up link", Description: "To the ordered mailbox, and to nobody else."}, a.pickupLink)
	call(a, access.OrderCancel, huma.Operation{OperationID: "cancel-order", Method: http.MethodPost, Path: "/api/v1/orders/{id}/cancel", Summary: "Cancel an order before its certificate is made"}, a.cancel)
	call(a, access.OrderRead, huma.Operation{OperationID: "get-order-certificate", Method: http.MethodGet, Path: "/api/v1/orders/{id}/certificate",
		Summary: "Fetch an order's certificate with its chain, as PEM", Responses: map[string]*huma.Response{"200": {Description: "The certificate, then the chain.", Content: map[string]*huma.MediaType{"application/x-pem-file": {}}}}}, a.orderCertificate)
}

func (a *API) createOrder(ctx context.Context, in *newOrder) (*orderReply, error) {
	who := access.From(ctx)
	if who.Kind != access.Operator { // the operator's own scripts are not held back
		if err := a.Limiter.Take(access.DoorOrder, who.Client.Key()); err != nil {
			return nil, err
		}
	}
	m, err := mailbox.Parse(in.Body.Mailbox)
	if err != nil {
		return nil, err
	}
	if err := a.Limiter.Take(access.DoorMail, m.String()); err != nil {
		return nil, err
	}
	o, err := a.Orders.Submit(ctx, workflow.Application{Mailbox: m, Profile: in.Body.Profile, Language: in.Body.Language,
		Agreement: in.Body.Agreement, AgreementSHA256: in.Body.AgreementSHA256, Request: []byte(in.Body.Request), By: who.Actor()})
	if err != nil {
		return nil, err
	}
	return &orderReply{Body: orderOut(o, a.Now())}, nil
}

func (a *API) listOrders(ctx context.Context, in *listOrders) (*ordersReply, error) {
	list, err := a.Ledger.Orders(ctx, order.Filter{Text: in.Text, State: order.State(in.State), After: order.ID(in.After), Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &ordersReply{}
	out.Body.Orders = make([]Order, 0, len(list))
	for _, o := range list {
		out.Body.Orders = append(out.Body.Orders, orderOut(o, a.Now()))
	}
	if len(list) == in.Limit {
		out.Body.After = string(list[len(list)-1].ID)
	}
	return out, nil
}

// find reads an order and checks that the caller may do this to it. Whoever may not see it learns nothing of it.
func (a *API) find(ctx context.Context, id string, do access.Action) (order.Order, error) {
	o, err := a.Ledger.Order(ctx, order.ID(id))
	if err != nil {
		return o, err
	}
	who, on := access.From(ctx), access.OfOrder(o)
	if !a.Rights.Can(who, access.OrderRead, on) {
		return order.Order{}, fault.New(fault.NotFound, "order.unknown", "There is no such order.")
	}
	return o, a.Rights.Allow(who, do, on)
}

func (a *API) getOrder(ctx context.Context, in *ByOrder) (*orderReply, error) {
	o, err := a.find(ctx, in.ID, access.OrderRead)
	if err != nil {
		return nil, err
	}
	return &orderReply{Body: orderOut(o, a.Now())}, nil
}

func (a *API) resend(ctx context.Context, in *ByOrder) (*orderReply, error) {
	return a.inform(ctx, in, func(o order.Order) error { return a.Orders.Resend(ctx, o.ID, access.From(ctx).Actor()) })
}

func (a *API) pickupLink(ctx context.Context, in *ByOrder) (*orderReply, error) {
	return a.inform(ctx, in, func(o order.Order) error { return a.Orders.AskPickup(ctx, o.ID, access.From(ctx).Actor()) })
}

func (a *API) inform(ctx context.Context, in *ByOrder, send func(order.Order) error) (*orderReply, error) {
	o, err := a.find(ctx, in.ID, access.OrderInform)
	if err != nil {
		return nil, err
	}
	if err := a.Limiter.Take(access.DoorMail, o.Mailbox.String()); err != nil {
		return nil, err
	}
	if err := send(o); err != nil {
		return nil, err
	}
	return a.again(ctx, o.ID)
}

func (a *API) cancel(ctx context.Context, in *cancelOrder) (*orderReply, error) {
	o, err := a.find(ctx, in.ID, access.OrderCancel)
	if err != nil {
		return nil, err
	}
	if err := a.Orders.Cancel(ctx, o.ID, in.Body.Reason, access.From(ctx).Actor()); err != nil {
		return nil, err
	}
	return a.again(ctx, o.ID)
}

// again reads an order after it was moved.
func (a *API) again(ctx context.Context, id order.ID) (*orderReply, error) {
	o, err := a.Ledger.Order(ctx, id)
	if err != nil {
		return nil, err
	}
	return &orderReply{Body: orderOut(o, a.Now())}, nil
}

func (a *API) orderCertificate(ctx context.Context, in *ByOrder) (*fileReply, error) {
	o, err := a.find(ctx, in.ID, access.OrderRead)
	if err != nil {
		return nil, err
	}
	p, err := a.Orders.Fetch(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	return &fileReply{ContentType: p.ContentType, Body: p.Data}, nil
}
