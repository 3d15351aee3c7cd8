package workflow

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/keys/delivery"
	"chancery.example/mailbox"
	"chancery.example/ra/agreement"
	"chancery.example/ra/order"
)

// Authority is what the conductor needs of the certification authority (ca/issuance).
type Authority interface {
	// Prepare builds and lints a certificate; see issuance.Authority.
	Prepare(v approval.Verdict, r issuance.Request, now time.Time) (*issuance.Prepared, error)
	// Sign signs what was prepared, once, when the ledger holds its intent.
	Sign(ctx context.Context, p *issuance.Prepared) (issuance.Certificate, error)
	// Resume signs the recorded content of an open intent after a crash.
	Resume(ctx context.Context, i issuance.Intent) (issuance.Certificate, error)
	// Chain is what is delivered beside a certificate: the issuing CA first, then the root.
	Chain() []*x509.Certificate
}

// Conductor leads orders along their path. Its methods are what the doors call; each is one step, or a few that are
// named in its comment.
type Conductor struct {
	ledger     Ledger
	authority  Authority
	agreements *agreement.Book
	clock      func() time.Time
	log        *slog.Logger
}

// New makes a conductor. clock tells the time.
func New(l Ledger, a Authority, g *agreement.Book, clock func() time.Time, log *slog.Logger) *Conductor {
	return &Conductor{ledger: l, authority: a, agreements: g, clock: clock, log: log}
}

// now is the time as every database keeps it.
func (c *Conductor) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }

// Application is what an applicant asks for.
type Application struct {
	Mailbox  mailbox.Address
	Profile  string // "mv-strict" or "mv-multipurpose"; empty for the house's default
	Language string // of mails and pages for the holder; empty for English
	// Agreement is the version of the text that was shown and accepted, and the SHA-256 of what was shown, as hex.
	Agreement, AgreementSHA256 string
	// Request is a PKCS#10 request, PEM or DER; nil when the key is to be born at pick-up.
	Request []byte
	// Renews is the serial number of the certificate that this one follows; empty for none.
	Renews issuance.Serial
	By     audit.Actor
}

// Page is what the bearer of a link may see.
type Page struct {
	Order order.Order
	State order.State // as of now
	Link  order.Link
	// Certificate is nil until it was issued; Revocation is nil while it is good.
	Certificate *issuance.Certificate
	Revocation  *status.Revocation
}

// Confirmed is what confirming a mailbox gives.
type Confirmed struct {
	Order order.Order
	// Pickup leads straight on to the pick-up page; empty where the certificate was made from a request.
	Pickup order.Secret
	// Status leads to the status page.
	Status order.Secret
}

// Choice is what a holder chooses at pick-up.
type Choice struct {
	// Request is a PKCS#10 request, PEM or DER. When it is nil, a key is born and Password and Encoding are used.
	Request  []byte
	Password string
	Encoding delivery.Encoding
	// Again says that the holder wants to repeat an interrupted download: the certificate of the first one is revoked.
	Again bool
	By    audit.Actor
}
