package api

import (
	"bufio"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"chancery.example/audit"
	"chancery.example/lifecycle"
	"chancery.example/notify"
	"chancery.example/server/access"
)

// Mail is what became of a mail.
type Mail struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind" example:"confirm"`
	To        string     `json:"to"`
	Order     string     `json:"order,omitempty"`
	Serial    string     `json:"serial,omitempty"`
	State     string     `json:"state" enum:"queued,sending,sent,failed,dropped"`
	Attempts  int        `json:"attempts"`
	LastError string     `json:"last_error,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
	SentAt    *time.Time `json:"sent_at,omitempty"`
}

type listMails struct {
	Text  string `query:"text" doc:"Part of the address." maxLength:"400"`
	Order string `query:"order" maxLength:"64"`
	State string `query:"state" maxLength:"32"`
	After string `query:"after" doc:"The last ID of the page before." maxLength:"64"`
	Limit int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
}

type mailsReply struct {
	Body struct {
		Mails []Mail `json:"mails"`
	}
}

type listAudit struct {
	Text    string `query:"text" doc:"Part of the action, the actor or the subject." maxLength:"400"`
	Subject string `query:"subject" doc:"Exactly this subject: order/ord_…, certificate/…" maxLength:"200"`
	Before  int64  `query:"before" doc:"Entries older than this number."`
	Limit   int    `query:"limit" default:"50" minimum:"1" maximum:"500"`
}

type auditReply struct {
	Body struct {
		Entries []audit.Entry `json:"entries"`
	}
}

type censusReply struct{ Body lifecycle.Census }

type agreementIn struct {
	Language string `query:"language" default:"en" maxLength:"35"`
}

type agreementReply struct {
	Body struct {
		Version    string   `json:"version"`
		Language   string   `json:"language"`
		SHA256     string   `json:"sha256"`
		Title      string   `json:"title"`
		Paragraphs []string `json:"paragraphs"`
	}
}

// records registers the calls that read what the house has recorded.
func (a *API) records() {
	call(a, access.OrderCreate, huma.Operation{OperationID: "get-agreement", Method: http.MethodGet, Path: "/api/v1/agreement", Summary: "Read the subscriber agreement that is in force"}, a.agreement)
	call(a, access.OutboxRead, huma.Operation{OperationID: "list-mails", Method: http.MethodGet, Path: "/api/v1/mails", Summary: "See what became of mails, newest first"}, a.mails)
	call(a, access.AuditRead, huma.Operation{OperationID: "list-audit", Method: http.MethodGet, Path: "/api/v1/audit", Summary: "Search the audit log, newest first"}, a.auditEntries)
	call(a, access.AuditRead, huma.Operation{OperationID: "export-audit", Method: http.MethodGet, Path: "/api/v1/audit/export", Summary: "Export the whole audit log",
		Description: "As JSON lines: the head first, then every entry with its hash, oldest first. `chancery audit verify` proves the chain from it.",
		Responses:   map[string]*huma.Response{"200": {Description: "JSON lines.", Content: map[string]*huma.MediaType{"application/jsonl": {}}}}}, a.exportAudit)
	call(a, access.HouseRead, huma.Operation{OperationID: "get-overview", Method: http.MethodGet, Path: "/api/v1/overview", Summary: "How many of what there are"}, a.census)
}

func (a *API) agreement(_ context.Context, in *agreementIn) (*agreementReply, error) {
	t := a.Agreements.In(in.Language)
	out := &agreementReply{}
	out.Body.Version, out.Body.Language, out.Body.SHA256, out.Body.Title, out.Body.Paragraphs = t.Version, t.Language, t.SHA256, t.Title, t.Paragraphs
	return out, nil
}

func (a *API) mails(ctx context.Context, in *listMails) (*mailsReply, error) {
	list, err := a.Ledger.Mails(ctx, notify.Filter{Text: in.Text, Order: in.Order, State: notify.State(in.State), After: in.After, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &mailsReply{}
	out.Body.Mails = make([]Mail, 0, len(list))
	for _, m := range list {
		out.Body.Mails = append(out.Body.Mails, Mail{ID: m.ID, Kind: string(m.Kind), To: m.To.String(), Order: m.Order, Serial: m.Serial, State: string(m.State),
			Attempts: m.Attempts, LastError: m.LastError, CreatedAt: m.CreatedAt, SentAt: instant(m.SentAt)})
	}
	return out, nil
}

func (a *API) auditEntries(ctx context.Context, in *listAudit) (*auditReply, error) {
	list, err := a.Ledger.AuditEntries(ctx, audit.Filter{Text: in.Text, Subject: in.Subject, Before: in.Before, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &auditReply{}
	out.Body.Entries = append([]audit.Entry{}, list...)
	return out, nil
}

// exportAudit streams the log. An error in the middle cuts the connection, so that nobody takes a part for the whole.
func (a *API) exportAudit(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	head, err := a.Ledger.AuditHead(ctx)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		c.SetHeader("Content-Type", "application/jsonl")
		w := bufio.NewWriterSize(c.BodyWriter(), 64<<10)
		err := audit.Export(w, a.Ledger.AuditLog(ctx), head)
		if err == nil {
			err = w.Flush()
		}
		if err == nil {
			return
		}
		a.Log.ErrorContext(ctx, "the audit export was cut off", "err", err)
		panic(http.ErrAbortHandler)
	}}, nil
}

func (a *API) census(ctx context.Context, _ *struct{}) (*censusReply, error) {
	c, err := a.Ledger.Census(ctx, a.Now())
	if err != nil {
		return nil, err
	}
	return &censusReply{Body: c}, nil
}
