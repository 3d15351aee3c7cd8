package status

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"chancery.example/fault"
	"chancery.example/rules"
	"chancery.example/trust/ocsp"
)

// Issuer is a certification authority whose certificates are answered for.
type Issuer struct {
	// Name is the issuer's name in the ledger and in URLs: "issuing", "root".
	Name        string
	Certificate *x509.Certificate
	// CRLSigner has the CA's key; nil while the key is not at hand, as of an offline root. RSA, P-256 or P-384.
	CRLSigner crypto.Signer
	// Responder answers for this issuer by OCSP; nil when nobody does.
	Responder *Responder
	// CertifiesCAs says that its lists are about CA certificates, for which the longer periods of SBR 4.9.7 hold.
	CertifiesCAs bool
}

// Responder is who signs OCSP answers for one issuer: a delegated responder (RFC 6960 4.2.2.2, SBR 4.9.9) or the CA.
type Responder struct {
	Certificate *x509.Certificate
	Signer      crypto.Signer
}

// Options of an Authority. The zero value of each field means the house's choice.
type Options struct {
	// ListLife is nextUpdate - thisUpdate of lists about subscriber certificates: 7 days, at most SBR 4.9.7 allows.
	// Lists about CA certificates live as long as SBR 4.9.7 allows. All are re-issued at half of their life.
	ListLife time.Duration
	// AnswerLife is nextUpdate - thisUpdate of OCSP answers: 2 days, within what SBR 4.9.10 allows.
	AnswerLife time.Duration
	// MaxAnswers bounds the answers kept ready in memory: 20,000 of about 1,300 octets.
	MaxAnswers int
	// Poll is how often the ledger is asked for revocations of other nodes and processes: 250 ms.
	Poll time.Duration
	// Coalesce is how long a list waits for further revocations after one was seen: 150 ms.
	Coalesce time.Duration
	Clock    func() time.Time // time.Now
	Log      *slog.Logger     // slog.Default()
}

// Authority tells the world about revocations: it publishes lists and answers OCSP requests for its issuers. Run
// must run for lists to be re-issued and for answers to notice the revocations of other processes.
type Authority struct {
	ledger  Ledger
	o       Options
	issuers []*issuer
	byName  map[string]*issuer
	byHash  map[string]*issuer // by what a CertID says of its issuer
	answers *answers
}

// issuer is an Issuer at work.
type issuer struct {
	name         string
	certificate  *x509.Certificate
	certifiesCAs bool

	responder  atomic.Pointer[ocsp.Responder]
	list       atomic.Pointer[CRL]
	wake       chan struct{}
	complained atomic.Int64 // Unix time of the last complaint

	work    sync.Mutex // guards what follows; held while a list is read, signed and committed
	signer  crypto.Signer
	entries *entries
	waiting time.Time // when (by time.Now) the first revocation was seen that no list holds yet; zero when none waits

	trouble atomic.Pointer[fault.Error] // why the list could not be renewed, nil when it could
}

// New makes an Authority and reads nothing yet: Run and CRL do.
func New(ledger Ledger, o Options, issuers ...Issuer) (*Authority, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	a := &Authority{ledger: ledger, o: o, byName: map[string]*issuer{}, byHash: map[string]*issuer{},
		answers: newAnswers(o.MaxAnswers)}
	for _, in := range issuers {
		if in.Name == "" || in.Certificate == nil || a.byName[in.Name] != nil {
			return nil, fmt.Errorf("status: an issuer needs a certificate and a name of its own, got %q", in.Name)
		}
		is := &issuer{name: in.Name, certificate: in.Certificate, certifiesCAs: in.CertifiesCAs, wake: make(chan struct{}, 1), entries: newEntries()}
		if err := a.index(is); err != nil {
			return nil, err
		}
		a.issuers = append(a.issuers, is)
		a.byName[in.Name] = is
		if in.CRLSigner != nil {
			if err := a.SetCRLSigner(in.Name, in.CRLSigner); err != nil {
				return nil, err
			}
		}
		if in.Responder != nil {
			if err := a.SetResponder(in.Name, *in.Responder); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

func (o Options) withDefaults() Options {
	if o.ListLife == 0 {
		o.ListLife = 7 * 24 * time.Hour
	}
	if o.AnswerLife == 0 {
		o.AnswerLife = 48 * time.Hour
	}
	if o.MaxAnswers == 0 {
		o.MaxAnswers = 20_000
	}
	if o.Poll == 0 {
		o.Poll = 250 * time.Millisecond
	}
	if o.Coalesce == 0 {
		o.Coalesce = 150 * time.Millisecond
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

// check holds the periods against the Baseline Requirements of today.
func (o Options) check() error {
	now := o.Clock()
	if most := rules.Number(rules.LeafCRLSpan, now); o.ListLife > most.Duration() || o.ListLife < time.Hour {
		return fault.New(fault.Invalid, "status.list-life", "A revocation list may live from 1 hour to %s.", most)
	}
	least, most := rules.Number(rules.OCSPShortest, now), rules.Number(rules.OCSPLongest, now)
	if o.AnswerLife < least.Duration() || o.AnswerLife > most.Duration() {
		return fault.New(fault.Invalid, "status.answer-life", "An OCSP answer may live from %s to %s.", least, most)
	}
	return nil
}

// find returns an issuer by name, or fault.NotFound.
func (a *Authority) find(name string) (*issuer, error) {
	if is := a.byName[name]; is != nil {
		return is, nil
	}
	return nil, fault.New(fault.NotFound, "issuer.unknown", "There is no certification authority of that name here.")
}

// SetResponder swaps the responder of an issuer, as after its renewal. Answers that are kept ready stay valid: each
// carries the certificate that signed it.
func (a *Authority) SetResponder(name string, r Responder) error {
	is, err := a.find(name)
	if err != nil {
		return err
	}
	if r.Certificate == nil || r.Signer == nil || !samePublicKey(r.Certificate.PublicKey, r.Signer.Public()) {
		return fmt.Errorf("status: the responder of %s has no key that fits its certificate", name)
	}
	if !r.Certificate.Equal(is.certificate) {
		if err := r.Certificate.CheckSignatureFrom(is.certificate); err != nil {
			return fmt.Errorf("status: the responder of %s was not certified by it (RFC 6960 4.2.2.2): %w", name, err)
		}
	}
	is.responder.Store(&ocsp.Responder{Issuer: is.certificate, Certificate: r.Certificate, Signer: r.Signer})
	return nil
}

// SetCRLSigner brings the key of an issuer within reach, or (nil) takes it away.
func (a *Authority) SetCRLSigner(name string, s crypto.Signer) error {
	is, err := a.find(name)
	if err != nil {
		return err
	}
	if s != nil && !samePublicKey(is.certificate.PublicKey, s.Public()) {
		return fmt.Errorf("status: the key for the lists of %s does not fit its certificate", name)
	}
	is.work.Lock()
	is.signer = s
	is.work.Unlock()
	is.poke()
	return nil
}

func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// Issuers lists the certificates that are answered for, by the issuer's name.
func (a *Authority) Issuers() []Issuer {
	var out []Issuer
	for _, is := range a.issuers {
		out = append(out, Issuer{Name: is.name, Certificate: is.certificate, CertifiesCAs: is.certifiesCAs})
	}
	return out
}

// Commit stores revocations with all that belongs to them, and makes them visible: in OCSP at once, in the list
// after Options.Coalesce.
func (a *Authority) Commit(ctx context.Context, c Change) error {
	for _, r := range c.Revocations {
		if is := a.byName[r.Issuer]; is != nil && is.certifiesCAs && r.Reason == Unspecified {
			return fault.New(fault.Refused, "reason.ca", "The revocation of a CA certificate must say its reason (SBR 7.2.2).")
		}
	}
	if err := a.ledger.CommitRevocations(ctx, c); err != nil {
		return err
	}
	for _, r := range c.Revocations {
		a.answers.forget(r.Issuer, r.Serial)
	}
	a.Wake()
	return nil
}

// Wake says that revocations were committed. It never waits.
func (a *Authority) Wake() {
	for _, is := range a.issuers {
		is.poke()
	}
}

func (is *issuer) poke() {
	select {
	case is.wake <- struct{}{}:
	default: // a wake-up is already waiting
	}
}
