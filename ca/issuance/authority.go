package issuance

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"chancery.example/approval"
	"chancery.example/ca/lint"
	"chancery.example/ca/profile"
	"chancery.example/fault"
	"chancery.example/mailbox"
)

// Ledger is what this package needs of the store.
type Ledger interface {
	// Intent reads an intent; fault.NotFound when there is none.
	Intent(ctx context.Context, s Serial) (Intent, error)
}

// Issuer is a key that signs certificates, with its own certificate and what it publishes where.
type Issuer struct {
	Name        string // the name of its key, "issuing"; it stands in URLs and records
	Certificate *x509.Certificate
	// Chain is what stands above it, the root last.
	Chain  []*x509.Certificate
	Signer crypto.Signer
	Mode   profile.Mode
	URLs   profile.URLs
}

// Authority prepares and signs subscriber certificates with one issuer.
type Authority struct {
	issuer Issuer
	ledger Ledger
}

// New makes an authority.
func New(i Issuer, l Ledger) *Authority { return &Authority{issuer: i, ledger: l} }

// Chain is the issuer's certificate and what stands above it.
func (a *Authority) Chain() []*x509.Certificate {
	return append([]*x509.Certificate{a.issuer.Certificate}, a.issuer.Chain...)
}

// Issuer is the name of the issuing key.
func (a *Authority) Issuer() string { return a.issuer.Name }

// Request is what one certificate is asked to contain. Every fact in it must be covered by the verdict.
type Request struct {
	Order     string
	Profile   string
	Mailbox   mailbox.Address
	PublicKey crypto.PublicKey
	// KeyKept says that the private key lives elsewhere; see Intent.
	KeyKept bool
}

// Prepared is a certificate that was built and linted and may be signed once. Only Prepare makes a useful one.
type Prepared struct {
	intent Intent
	used   atomic.Bool
}

// Intent is what has to be recorded before Sign.
func (p *Prepared) Intent() Intent { return p.intent }

// Rejected is the error of a certificate that its lint would not let pass; the order shows the findings.
type Rejected struct{ Findings []lint.Finding }

// Error names the first finding that blocks.
func (r *Rejected) Error() string {
	var texts []string
	for _, f := range r.Findings {
		if f.Severity >= lint.Error {
			texts = append(texts, fmt.Sprintf("%s: %s (%s)", f.Rule, f.Text, f.Citation))
		}
	}
	return "the certificate would break the rules: " + strings.Join(texts, "; ")
}

// Prepare builds a certificate from what a verdict allows, draws its serial number and lints it. A refusal by the
// verdict or the profile is a fault; findings that block are a Rejected.
func (a *Authority) Prepare(v approval.Verdict, r Request, now time.Time) (*Prepared, error) {
	if !v.Allowed(now) {
		return nil, fault.New(fault.Refused, "issuance.no-verdict", "Nothing allows this certificate at this time.")
	}
	if c := (approval.Claim{Kind: approval.Mailbox, Value: r.Mailbox.String()}); !v.Holds(c) {
		return nil, fault.New(fault.Refused, "issuance.unproved", "The verdict does not cover the mailbox %s.", r.Mailbox)
	}
	if c := a.issuer.Certificate; bytes.Equal(c.RawSubject, c.RawIssuer) { // SBR 6.1.7, BR-111
		return nil, fault.New(fault.Refused, "issuance.root", "The root's key signs no certificates of subscribers (SBR 6.1.7). They come from an issuing CA.")
	}
	p, err := profile.Find(r.Profile, now)
	if err != nil {
		return nil, err
	}
	if err := profile.CheckKey(r.PublicKey, profile.Dual, now); err != nil {
		return nil, err
	}
	serial := NewSerial()
	tbs, err := profile.Build(p, profile.Input{
		Mode: a.issuer.Mode, Use: profile.Dual, Mailboxes: []mailbox.Address{r.Mailbox}, PublicKey: r.PublicKey,
		Serial: serial.Int(), NotBefore: now, Issuer: a.issuer.Certificate, URLs: a.issuer.URLs,
	})
	if err != nil {
		return nil, err
	}
	findings := lint.Check(tbs, lint.Context{Kind: lint.Subscriber, Type: p.Type, Generation: p.Generation,
		Mode: a.issuer.Mode, Issuer: a.issuer.Certificate, At: now})
	if lint.Blocks(findings) {
		return nil, &Rejected{Findings: findings}
	}
	return &Prepared{intent: Intent{Serial: serial, Issuer: a.issuer.Name, Order: r.Order, Profile: p.Name,
		Mailbox: r.Mailbox.String(), TBS: tbs, KeyKept: r.KeyKept, At: now, State: Open}}, nil
}

// Sign signs what Prepare returned, once, and only when the ledger holds the very same intent, open.
func (a *Authority) Sign(ctx context.Context, p *Prepared) (Certificate, error) {
	if p == nil || p.intent.Serial == "" {
		return Certificate{}, fault.New(fault.Refused, "issuance.unprepared", "Only a prepared certificate can be signed.")
	}
	if p.used.Swap(true) {
		return Certificate{}, fault.New(fault.Refused, "issuance.twice", "A prepared certificate is signed only once.")
	}
	recorded, err := a.ledger.Intent(ctx, p.intent.Serial)
	if err != nil {
		return Certificate{}, err
	}
	if string(recorded.TBS) != string(p.intent.TBS) {
		return Certificate{}, fault.New(fault.Internal, "issuance.intent-differs", "The recorded intent is not what was prepared.")
	}
	return a.sign(recorded)
}

// Resume signs the recorded content of an open intent after a crash: the same octets, so the same certificate.
func (a *Authority) Resume(ctx context.Context, i Intent) (Certificate, error) {
	recorded, err := a.ledger.Intent(ctx, i.Serial)
	if err != nil {
		return Certificate{}, err
	}
	return a.sign(recorded)
}

// sign signs the content of an intent that was read from the ledger.
func (a *Authority) sign(i Intent) (Certificate, error) {
	if i.State != Open || i.Issuer != a.issuer.Name {
		return Certificate{}, fault.New(fault.Conflict, "issuance.closed", "This intent is %s, for the issuer %s.", i.State, i.Issuer)
	}
	der, err := SignTBS(i.TBS, a.issuer.Signer)
	if err != nil {
		return Certificate{}, err
	}
	return Record(i, der)
}

// SignTBS signs the DER of a TBSCertificate and gives the certificate's DER. Outside this package only the ceremony
// that makes the house's own certificates calls it.
//
// No randomness is handed to the key: ECDSA is then deterministic (RFC 6979 3.2), as RSA PKCS #1 v1.5 always is, so that
// signing again after a crash gives the very same certificate and never a second one with the same serial number.
func SignTBS(tbs []byte, s crypto.Signer) ([]byte, error) {
	digest, hash, err := profile.Digest(tbs)
	if err != nil {
		return nil, err
	}
	sig, err := s.Sign(nil, digest, hash)
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "issuance.signer", "The issuing key cannot sign now. Nothing was lost; it will be tried again.")
	}
	return profile.Assemble(tbs, sig)
}

// Record is the ledger's record of a signed intent.
func Record(i Intent, der []byte) (Certificate, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, fault.Wrap(err, fault.Internal, "issuance.unparsable", "The signed certificate cannot be read back.")
	}
	sum, spki := sha256.Sum256(der), sha256.Sum256(c.RawSubjectPublicKeyInfo)
	return Certificate{Serial: i.Serial, Issuer: i.Issuer, Order: i.Order, Profile: i.Profile, Mailbox: i.Mailbox, DER: der,
		SHA256: hex.EncodeToString(sum[:]), SPKI: hex.EncodeToString(spki[:]),
		NotBefore: c.NotBefore, NotAfter: c.NotAfter, IssuedAt: i.At}, nil
}
