// Package ceremony answers: how does a house get its own certificates?
//
// Perform makes a root, an issuing CA and an OCSP responder; Open finds them again. Like those of subscribers, these
// certificates are prepared, linted, recorded as intents, signed, and recorded.
package ceremony

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/keystore"
	"chancery.example/ca/lint"
	"chancery.example/ca/profile"
	"chancery.example/fault"
)

// The names of the house's keys; they stand in URLs and records.
const (
	RootKey      = "root"
	IssuingKey   = "issuing"
	ResponderKey = "responder"
)

// The profiles of the house's own certificates, as they stand in the ledger.
const (
	RootProfile      = "root"
	IssuingProfile   = "issuing-ca"
	ResponderProfile = "ocsp-responder"
)

// Plan is what a ceremony is to make.
type Plan struct {
	Mode         profile.Mode
	Organisation string
	Country      string // ISO 3166-1 alpha-2, or XX
	RootName     string // common names
	IssuingName  string
	RootKey      keystore.Algorithm
	IssuingKey   keystore.Algorithm
	// Validities; zero takes the rules' defaults.
	RootValidity, IssuingValidity time.Duration
	// PublicURL is the plain-http base of server/public. It stands for ever in every certificate.
	PublicURL string
}

// Default is a plan with everything but the public URL.
func Default() Plan {
	return Plan{Mode: profile.Private, Organisation: "Chancery", Country: "XX", RootName: "Chancery Root CA",
		IssuingName: "Chancery Mail CA", RootKey: keystore.P384, IssuingKey: keystore.P256}
}

// Ledger is what this package needs of the store.
type Ledger interface {
	CommitBatch(ctx context.Context, b issuance.Batch, entries ...audit.Entry) error
	Certificates(ctx context.Context, f issuance.Filter) ([]issuance.Certificate, error)
	OpenIntents(ctx context.Context) ([]issuance.Intent, error)
}

// Keys is what this package needs of the key store.
type Keys interface {
	Generate(name string, alg keystore.Algorithm) (*keystore.Key, error)
	Key(name string) (keystore.Signer, error)
}

// Hierarchy is the house's own certificates. The root's private key is not among them: it may be offline.
type Hierarchy struct {
	Root, Issuing, Responder *x509.Certificate
}

// URLs are where the certificates of an issuer of this house say that it publishes.
func URLs(public, issuer string) profile.URLs {
	return profile.URLs{
		CRL:    []string{public + "/crl/" + issuer + ".crl"},
		Issuer: []string{public + "/ca/" + issuer + ".crt"},
		OCSP:   []string{public + "/ocsp"},
	}
}

// Perform makes the keys and certificates of a new house. say is told of each step as it is done.
func Perform(ctx context.Context, keys Keys, l Ledger, p Plan, by audit.Actor, now time.Time, say func(string)) (*Hierarchy, error) {
	h := &Hierarchy{}
	root, err := keys.Generate(RootKey, p.RootKey)
	if err != nil {
		return nil, err
	}
	say(fmt.Sprintf("Made the key of the root (%s).", p.RootKey))
	issuing, err := keys.Generate(IssuingKey, p.IssuingKey)
	if err != nil {
		return nil, err
	}
	say(fmt.Sprintf("Made the key of the issuing CA (%s).", p.IssuingKey))
	w := work{ctx: ctx, ledger: l, mode: p.Mode, by: by, now: now}
	a := profile.Authority{CommonName: p.RootName, Organisation: p.Organisation, Country: p.Country, NotBefore: now, Validity: p.RootValidity, PublicKey: root.Public()}
	if h.Root, err = w.certify(RootKey, RootProfile, lint.Root, profile.Root, a, root); err != nil {
		return nil, err
	}
	say(fmt.Sprintf("Certified the root %q until %s.", p.RootName, h.Root.NotAfter.Format(time.DateOnly)))
	a = profile.Authority{CommonName: p.IssuingName, Organisation: p.Organisation, Country: p.Country, NotBefore: now, Validity: p.IssuingValidity,
		PublicKey: issuing.Public(), Issuer: h.Root, URLs: URLs(p.PublicURL, RootKey)}
	a.URLs.OCSP = nil // the root's key is not at hand to certify responders; its list speaks for it
	if h.Issuing, err = w.certify(RootKey, IssuingProfile, lint.Issuing, profile.Issuing, a, root); err != nil {
		return nil, err
	}
	say(fmt.Sprintf("Certified the issuing CA %q until %s.", p.IssuingName, h.Issuing.NotAfter.Format(time.DateOnly)))
	if _, err := keys.Generate(ResponderKey, keystore.P256); err != nil {
		return nil, err
	}
	if h.Responder, err = CertifyResponder(ctx, keys, l, h.Issuing, p.Mode, by, now); err != nil {
		return nil, err
	}
	say("Made and certified the OCSP responder.")
	return h, nil
}

// CertifyResponder certifies the house's responder key anew (SBR 4.9.9).
func CertifyResponder(ctx context.Context, keys Keys, l Ledger, issuing *x509.Certificate, mode profile.Mode, by audit.Actor, now time.Time) (*x509.Certificate, error) {
	issuer, err := keys.Key(IssuingKey)
	if err != nil {
		return nil, err
	}
	responder, err := keys.Key(ResponderKey)
	if err != nil {
		return nil, err
	}
	subject := issuing.Subject
	a := profile.Authority{CommonName: subject.CommonName + " OCSP", NotBefore: now, PublicKey: responder.Public(), Issuer: issuing}
	if len(subject.Organization) > 0 {
		a.Organisation = subject.Organization[0]
	}
	if len(subject.Country) > 0 {
		a.Country = subject.Country[0]
	}
	w := work{ctx: ctx, ledger: l, mode: mode, by: by, now: now}
	return w.certify(IssuingKey, ResponderProfile, lint.Responder, profile.Responder, a, issuer)
}

// work is what the steps of one ceremony share.
type work struct {
	ctx    context.Context
	ledger Ledger
	mode   profile.Mode
	by     audit.Actor
	now    time.Time
}

// certify leads one certificate of the house through its gates: build, lint, intent, signature, record.
func (w work) certify(issuer, name string, kind lint.Kind, build func(profile.Authority) ([]byte, error), a profile.Authority, signer crypto.Signer) (*x509.Certificate, error) {
	serial := issuance.NewSerial()
	a.Serial = serial.Int()
	tbs, err := build(a)
	if err != nil {
		return nil, err
	}
	if found := lint.Check(tbs, lint.Context{Kind: kind, Mode: w.mode, Issuer: a.Issuer, At: w.now}); lint.Blocks(found) {
		rejected := &issuance.Rejected{Findings: found}
		return nil, fault.Wrap(rejected, fault.Refused, "ceremony.lint", "The certificate %q is not signed: %v", a.CommonName, rejected)
	}
	i := issuance.Intent{Serial: serial, Issuer: issuer, Profile: name, TBS: tbs, KeyKept: true, At: w.now, State: issuance.Open}
	subject := "certificate/" + string(serial)
	if err := w.ledger.CommitBatch(w.ctx, issuance.Batch{Intents: []issuance.Intent{i}},
		audit.New(w.now, w.by, "certificate.prepare", subject, map[string]string{"profile": name, "issuer": issuer, "name": a.CommonName})); err != nil {
		return nil, err
	}
	return w.finish(i, signer)
}

// finish signs a recorded intent and records the certificate. These signatures stand for years, so each is checked
// against the key before it is recorded: an intent of another key with the same name gives no certificate.
func (w work) finish(i issuance.Intent, signer crypto.Signer) (*x509.Certificate, error) {
	der, err := issuance.SignTBS(i.TBS, signer)
	if err != nil {
		return nil, err
	}
	if err := holds(der, signer.Public(), i.Profile); err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "ceremony.signature", "The key %q does not fit the %s certificate %s that was to be signed with it. Restore keys and database from the same backup.", i.Issuer, i.Profile, i.Serial)
	}
	cert, err := issuance.Record(i, der)
	if err != nil {
		return nil, err
	}
	if err := w.ledger.CommitBatch(w.ctx, issuance.Batch{Certificates: []issuance.Certificate{cert}},
		audit.New(w.now, w.by, "certificate.issue", "certificate/"+string(i.Serial), map[string]string{"profile": i.Profile, "issuer": i.Issuer, "sha256": cert.SHA256})); err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// holds checks a certificate's signature with the key that made it; a root must also be of that very key.
func holds(der []byte, by crypto.PublicKey, profile string) error {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return err
	}
	if own, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); profile == RootProfile && (!ok || !own.Equal(by)) {
		return errors.New("the root names another key than the one that signs it")
	}
	return (&x509.Certificate{PublicKey: by}).CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
}

// Settle finishes the intents for certificates of the house that a crash left open: the keys are here, so the recorded
// content is signed again. One whose issuer is offline stays open.
func Settle(ctx context.Context, keys Keys, l Ledger, now time.Time) error {
	intents, err := l.OpenIntents(ctx)
	if err != nil {
		return err
	}
	w := work{ctx: ctx, ledger: l, by: audit.Actor{Kind: audit.System}, now: now}
	for _, i := range intents {
		if i.Order != "" {
			continue
		}
		signer, err := keys.Key(i.Issuer)
		if fault.Is(err, fault.Unavailable) {
			continue
		}
		if err != nil {
			return err
		}
		if _, err := w.finish(i, signer); err != nil {
			return err
		}
	}
	return nil
}

// Open finds the house's certificates in the ledger. What is missing is a fault.Unavailable that names it.
func Open(ctx context.Context, l Ledger) (*Hierarchy, error) {
	list, err := l.Certificates(ctx, issuance.Filter{House: true, Limit: 500})
	if err != nil {
		return nil, err
	}
	h := &Hierarchy{}
	for _, c := range list { // newest first, so that the newest of each profile stays
		var into **x509.Certificate
		switch c.Profile {
		case RootProfile:
			into = &h.Root
		case IssuingProfile:
			into = &h.Issuing
		case ResponderProfile:
			into = &h.Responder
		}
		if into == nil || *into != nil {
			continue
		}
		if *into, err = x509.ParseCertificate(c.DER); err != nil {
			return nil, fault.Wrap(err, fault.Unavailable, "ceremony.damaged", "The %s certificate in the database cannot be read. Restore the database from a backup.", c.Profile)
		}
	}
	if h.Root == nil || h.Issuing == nil {
		return nil, fault.New(fault.Unavailable, "ceremony.missing", "The database holds no root or issuing CA certificate. It is not the database of this house, or it was damaged: restore it from a backup.")
	}
	return h, nil
}
