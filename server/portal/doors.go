package portal

import (
	"context"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/keys/delivery"
	"chancery.example/lifecycle"
	"chancery.example/notify"
	"chancery.example/ra/agreement"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

// Orders is what the portal needs of the conductor (*workflow.Conductor).
type Orders interface {
	Submit(ctx context.Context, a workflow.Application) (order.Order, error)
	Resend(ctx context.Context, id order.ID, by audit.Actor) error
	Open(ctx context.Context, p order.Purpose, s order.Secret) (workflow.Page, error)
	Confirm(ctx context.Context, s order.Secret, keyKnown bool, by audit.Actor) (workflow.Confirmed, error)
	AskPickup(ctx context.Context, id order.ID, by audit.Actor) error
	PickUp(ctx context.Context, s order.Secret, c workflow.Choice) (delivery.Parcel, error)
	Fetch(ctx context.Context, id order.ID) (delivery.Parcel, error)
	Receive(ctx context.Context, id order.ID, by audit.Actor) error
	Cancel(ctx context.Context, id order.ID, why string, by audit.Actor) error
	View(ctx context.Context, id order.ID) (workflow.Page, error)
}

// Agreements are the texts that an applicant accepts (*agreement.Book).
type Agreements interface {
	In(language string) agreement.Text
}

// Desk ends and renews certificates (*lifecycle.Desk).
type Desk interface {
	Revoke(ctx context.Context, s issuance.Serial, why status.Reason, by audit.Actor) error
	Renew(ctx context.Context, s issuance.Serial, r lifecycle.Renewal) (order.Order, error)
}

// Ledger is what the portal reads by itself (*store.Store). Lists come newest first.
type Ledger interface {
	Orders(ctx context.Context, f order.Filter) ([]order.Order, error)
	Link(ctx context.Context, h order.SecretHash) (order.Link, error)
	Certificates(ctx context.Context, f issuance.Filter) ([]issuance.Certificate, error)
	Certificate(ctx context.Context, s issuance.Serial) (issuance.Certificate, error)
	Standing(ctx context.Context, issuer string, s issuance.Serial) (status.Standing, error)
	Mails(ctx context.Context, f notify.Filter) ([]notify.Mail, error)
	Mail(ctx context.Context, id string) (notify.Mail, error)
	AuditEntries(ctx context.Context, f audit.Filter) ([]audit.Entry, error)
	Census(ctx context.Context, now time.Time) (lifecycle.Census, error)
}

// Outbox reads what the local outbox keeps: the whole message as it was written, RFC 5322. fault.NotFound when the
// mail never went through it.
type Outbox interface {
	Read(id string) ([]byte, error)
}

// Authority tells how the house's own certificates and lists stand (*status.Authority).
type Authority interface {
	Issuers() []status.Issuer
	Lists() []status.ListState
}

// House is what the overview says about the house itself.
type House struct {
	Name string // "Example Org"; empty for "Chancery"
	// Origin is how browsers reach the portal, and Public where CRLs, OCSP and CA certificates are fetched.
	Origin, Public string
	// PublicIsLocal says that Public means this machine only, so that nobody else can check a certificate.
	PublicIsLocal bool
	// MailServer is host and port of the SMTP server; empty while mail goes to the local outbox.
	MailServer string
	// KeyOffline reports whether the private key of an issuer is kept elsewhere; nil where that is not known.
	KeyOffline func(issuer string) bool
	// KeyWarning says how to keep the keys better; empty when a passphrase protects them.
	KeyWarning string
}
