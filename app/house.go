// Package app answers: how do the parts of one node fit together?
//
// Open puts a house together from its data directory and configuration by plain constructor calls; Run opens its doors.
// Make makes a new one.
package app

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/mail"
	"os"
	"strings"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/issuance"
	"chancery.example/ca/keystore"
	"chancery.example/ca/profile"
	"chancery.example/ca/status"
	"chancery.example/config"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/lifecycle"
	"chancery.example/notify"
	"chancery.example/ra/agreement"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
	"chancery.example/store"
)

// House is the parts of one node, put together.
type House struct {
	Record    Record
	Keys      *keystore.Store
	Store     *store.Store
	Hierarchy *ceremony.Hierarchy
	Authority *issuance.Authority
	Status    *status.Authority
	Conductor *workflow.Conductor
	Desk      *lifecycle.Desk
	Access    *access.Access

	config     config.Config
	home       home
	held       *os.File
	agreements *agreement.Book
	outbox     *notify.Outbox
	runner     *store.Runner
	log        *slog.Logger
	clock      func() time.Time
	mode       profile.Mode
	limits     map[access.Door]access.Limit
}

// Options are what Open needs beside the configuration.
type Options struct {
	// Passphrase gives the passphrase of the CA keys when it is needed.
	Passphrase func() (string, error)
	Log        *slog.Logger
	Clock      func() time.Time // time.Now
	// Around, when set, stands between the conductor and its ledger. The kill tests end the process there.
	Around func(workflow.Ledger) workflow.Ledger
	// Limits of what anybody can trigger at the portal; nil for the usual ones. The benchmark lifts them.
	Limits map[access.Door]access.Limit
}

// Exists reports whether the configured data directory holds a house. Parts of one without the rest are an error that
// says what is missing; a directory that another process works on is fault.Conflict.
func Exists(c config.Config) (bool, error) {
	h := home{dir: c.Data}
	if _, err := os.Stat(h.dir); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	held, err := h.lock() // a survey clears away what an interrupted making left, and must not meet one that is under way
	if err != nil {
		return false, err
	}
	defer held.Close()
	state, err := h.survey()
	return state == complete, err
}

// Open puts the house of a data directory together. Whatever is missing is refused with a sentence that names it;
// nothing is ever remade.
func Open(ctx context.Context, c config.Config, o Options) (*House, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	h := &House{config: c, home: home{dir: c.Data}, log: o.Log, clock: o.Clock, limits: o.Limits}
	if err := h.open(ctx, o); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

func (h *House) open(ctx context.Context, o Options) error {
	var err error
	if h.held, err = h.home.lock(); err != nil {
		return err
	}
	switch state, err := h.home.survey(); {
	case err != nil:
		return err
	case state != complete:
		return notThere(h.home.dir)
	}
	if err := h.openRecords(ctx, o); err != nil {
		return err
	}
	if err := h.openAuthority(ctx, o); err != nil {
		return err
	}
	return h.openDesk(ctx, o)
}

// openRecords opens what is kept: the record, the keys, the ledger; and checks that they belong together.
func (h *House) openRecords(ctx context.Context, o Options) error {
	var err error
	if h.Record, err = h.home.read(); err != nil {
		return err
	}
	if h.Record.Database != driver(h.config) {
		return fault.New(fault.Invalid, "house.database", "This house keeps its ledger in %s, but the configuration names %s. Set database.driver to %s.", h.Record.Database, driver(h.config), h.Record.Database)
	}
	if err := h.mode.UnmarshalText([]byte(h.Record.Mode)); err != nil {
		return err
	}
	if _, err := os.Stat(h.home.path(keysFolder)); errors.Is(err, os.ErrNotExist) {
		return fault.Wrap(err, fault.Unavailable, "house.keys-missing", "The folder %s with the CA keys is missing. Restore it from a backup; without its keys this house cannot sign.", h.home.path(keysFolder))
	}
	if h.Keys, err = keystore.Open(h.home.path(keysFolder), o.Passphrase); err != nil {
		return err
	}
	if err := h.Keys.Check(ceremony.IssuingKey, ceremony.ResponderKey); err != nil {
		return err
	}
	if h.Store, err = openStore(ctx, h.config, h.home, true, o.Log); err != nil {
		return err
	}
	id, err := h.Store.Setting(ctx, settingHouse)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if id != h.Record.ID {
		return fault.New(fault.Unavailable, "house.strangers", "The database belongs to another house (%q) than the data directory (%q). Restore both from the same backup.", id, h.Record.ID)
	}
	return nil
}

// openStore opens the configured ledger; an SQLite file lies in the data directory.
func openStore(ctx context.Context, c config.Config, h home, mustExist bool, log *slog.Logger) (*store.Store, error) {
	return store.Open(ctx, store.Config{Driver: driver(c), Path: h.path(databaseFile), DSN: c.Database.DSN.Reveal(), MustExist: mustExist, Node: h.node(), Logger: log})
}

// openAuthority puts the certification authority together.
func (h *House) openAuthority(ctx context.Context, _ Options) error {
	if err := ceremony.Settle(ctx, h.Keys, h.Store, h.clock()); err != nil {
		return err
	}
	var err error
	if h.Hierarchy, err = ceremony.Open(ctx, h.Store); err != nil {
		return err
	}
	signer, err := h.Keys.Key(ceremony.IssuingKey)
	if err != nil {
		return err
	}
	if !samePublic(signer.Public(), h.Hierarchy.Issuing.PublicKey) {
		return fault.New(fault.Unavailable, "house.keys-strangers", "The key %q is not the one that the issuing CA's certificate names. Restore keys and database from the same backup.", ceremony.IssuingKey)
	}
	h.Authority = issuance.New(issuance.Issuer{Name: ceremony.IssuingKey, Certificate: h.Hierarchy.Issuing, Chain: []*x509.Certificate{h.Hierarchy.Root},
		Signer: signer, Mode: h.mode, URLs: ceremony.URLs(h.Record.PublicURL, ceremony.IssuingKey)}, h.Store)
	responder, err := h.responder(ctx)
	if err != nil {
		return err
	}
	root := status.Issuer{Name: ceremony.RootKey, Certificate: h.Hierarchy.Root, CertifiesCAs: true}
	if !h.Keys.Offline(ceremony.RootKey) { // offline is as it should be; here, but damaged, is not
		if root.CRLSigner, err = h.Keys.Key(ceremony.RootKey); err != nil {
			return err
		}
	}
	h.Status, err = status.New(h.Store, status.Options{Clock: h.clock, Log: h.log}, root,
		status.Issuer{Name: ceremony.IssuingKey, Certificate: h.Hierarchy.Issuing, CRLSigner: signer, Responder: responder})
	return err
}

func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// responder gives the OCSP responder, with a new certificate when half of the present one's life is over.
func (h *House) responder(ctx context.Context) (*status.Responder, error) {
	now := h.clock()
	cert := h.Hierarchy.Responder
	if cert == nil || now.After(cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore)/2)) {
		var err error
		if cert, err = ceremony.CertifyResponder(ctx, h.Keys, h.Store, h.Hierarchy.Issuing, h.mode, audit.Actor{Kind: audit.System}, now); err != nil {
			return nil, err
		}
		h.Hierarchy.Responder = cert
	}
	key, err := h.Keys.Key(ceremony.ResponderKey)
	if err != nil {
		return nil, err
	}
	return &status.Responder{Certificate: cert, Signer: key}, nil
}

// renewResponder is the handler of responderJob.
func (h *House) renewResponder(ctx context.Context, _ jobs.Attempt) error {
	r, err := h.responder(ctx)
	if err != nil {
		return err
	}
	return h.Status.SetResponder(ceremony.IssuingKey, *r)
}

// The jobs of the house itself.
const (
	responderJob jobs.Kind = "ca.renew-responder"
	tidyJob      jobs.Kind = "access.tidy"
)

// openDesk puts the registration authority and the life after birth together.
func (h *House) openDesk(ctx context.Context, o Options) error {
	var err error
	if h.agreements, err = agreement.Open(); err != nil {
		return err
	}
	var ledger workflow.Ledger = h.Store
	if o.Around != nil {
		ledger = o.Around(h.Store)
	}
	h.Conductor = workflow.New(ledger, h.Authority, h.agreements, h.clock, h.log)
	h.Desk = lifecycle.New(h.Store, h.Status, h.Conductor, h.clock)
	carrier, err := h.carrier()
	if err != nil {
		return err
	}
	texts, err := notify.NewTexts(h.Record.Organisation)
	if err != nil {
		return err
	}
	post := workflow.NewPost(h.Conductor, texts, carrier, h.PortalURL(), h.log)
	if h.Access, err = h.openAccess(); err != nil {
		return err
	}
	if h.Record.Database == store.SQLite { // this node is alone with its ledger, so nothing is under way
		if err := h.Conductor.SettleAll(ctx); err != nil {
			return err
		}
	}
	table := workflow.Handlers(h.Conductor, post)
	table[lifecycle.RemindJob] = h.Desk.Remind
	table[responderJob] = h.renewResponder
	table[tidyJob] = func(ctx context.Context, _ jobs.Attempt) error { return h.Access.Tidy(ctx) }
	h.runner, err = h.Store.NewRunner(table, []jobs.Periodic{
		{Every: time.Hour, Job: jobs.New(lifecycle.RemindJob, nil).Once("remind"), AtStart: true},
		{Every: 12 * time.Hour, Job: jobs.New(responderJob, nil).Once("responder")},
		{Every: time.Hour, Job: jobs.New(tidyJob, nil).Once("tidy"), AtStart: true},
	}, slog.New(quiet{h.log.Handler()}))
	return err
}

// quiet lets only warnings and worse through: what the job runner says of itself is of no use to an operator.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

// Handle leaves out that something was cancelled, which is how the runner stops.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	cancelled := false
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		cancelled = cancelled || ok && errors.Is(err, context.Canceled) || a.Value.String() == context.Canceled.Error()
		return !cancelled
	})
	if cancelled {
		return nil
	}
	return q.Handler.Handle(ctx, r)
}

func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }
func (q quiet) WithGroup(n string) slog.Handler      { return quiet{q.Handler.WithGroup(n)} }

// carrier is the SMTP server where one is configured, and else the outbox. The outbox can be read in any case.
func (h *House) carrier() (notify.Carrier, error) {
	from := mail.Address{Name: h.config.Mail.Name, Address: h.config.Mail.From}
	if from.Name == "" {
		from.Name = h.Record.Organisation
	}
	if from.Address == "" {
		from.Address = "chancery@localhost"
	}
	var err error
	if h.outbox, err = notify.OpenOutbox(h.home.path(outboxFolder), from); err != nil {
		return nil, err
	}
	if h.config.SMTP.Host == "" {
		return h.outbox, nil
	}
	return smtpOf(h.config.SMTP, from)
}

// openAccess makes the door-keeper; its sealing key lies in the data directory, not in the database.
func (h *House) openAccess() (*access.Access, error) {
	raw, err := os.ReadFile(h.home.path(sealFile))
	if err != nil {
		return nil, fault.Wrap(err, fault.Unavailable, "house.seal-missing", "The file %s is missing: it opens the secrets of authenticator apps. Restore it from a backup.", h.home.path(sealFile))
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(raw)))
	if err != nil || len(key) != 32 {
		return nil, fault.Wrap(err, fault.Unavailable, "house.seal-damaged", "The file %s is damaged. Restore it from a backup.", h.home.path(sealFile))
	}
	sealer, err := access.NewSealer(key)
	if err != nil {
		return nil, err
	}
	proxies, err := prefixes(h.config.Portal.TrustedProxies)
	if err != nil {
		return nil, err
	}
	return access.New(access.Config{Ledger: h.Store, Now: h.clock, Origin: h.PortalURL(), House: h.Record.Organisation,
		Sealer: sealer, TrustedProxies: proxies, Log: h.log})
}

// Close gives everything back. It may be called at any time.
func (h *House) Close() error {
	var err error
	if h.Store != nil {
		err = h.Store.Close()
	}
	if h.held != nil {
		err = errors.Join(err, h.held.Close())
	}
	return err
}
