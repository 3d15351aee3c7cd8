package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/ceremony"
	"chancery.example/ca/issuance"
	"chancery.example/ca/keystore"
	"chancery.example/config"
	"chancery.example/fault"
	"chancery.example/store"
)

// Making is what a new house is made of.
type Making struct {
	Plan       ceremony.Plan
	Protection keystore.Protection
	By         audit.Actor
	Now        time.Time
	Say        func(string) // is told of each step
}

// Make makes a house in the configured data directory, which must hold none. It is built aside and moved into place when
// complete, so that a crash leaves either a house or nothing.
func Make(ctx context.Context, c config.Config, m Making) error {
	if err := checkPublicURL(m.Plan.PublicURL); err != nil {
		return err
	}
	h := home{dir: c.Data}
	held, err := h.lock()
	if err != nil {
		return err
	}
	defer held.Close()
	switch state, err := h.survey(); {
	case err != nil:
		return err
	case state == complete:
		return fault.New(fault.Conflict, "house.exists", "There is already a house in %s. Nothing was changed. Start it with: chancery serve --data %s", c.Data, c.Data)
	}
	if err := h.make(ctx, c, m); err != nil {
		return errors.Join(err, h.clearAway())
	}
	return nil
}

// make does the ceremony in the making folder and moves the result into place.
func (h home) make(ctx context.Context, c config.Config, m Making) error {
	aside := home{dir: h.path(makingFolder)}
	if err := os.MkdirAll(aside.dir, 0o700); err != nil {
		return fault.Wrap(err, fault.Unavailable, "house.directory", "The data directory %s cannot be written: %v", h.dir, err)
	}
	keys, err := keystore.Create(aside.path(keysFolder), m.Protection)
	if err != nil {
		return err
	}
	ledger, err := openStore(ctx, c, aside, false, nil)
	if err != nil {
		return err
	}
	defer ledger.Close()
	if err := unused(ctx, ledger, h.dir); err != nil {
		return err
	}
	if _, err := ceremony.Perform(ctx, keys, ledger, m.Plan, m.By, m.Now, m.Say); err != nil {
		return err
	}
	var seal [32]byte
	rand.Read(seal[:])
	if err := writeDurably(aside.path(sealFile), []byte(hex.EncodeToString(seal[:])+"\n")); err != nil {
		return err
	}
	r := Record{Format: 1, ID: "hse_" + strings.ToLower(rand.Text()), CreatedAt: m.Now.UTC(), Organisation: m.Plan.Organisation,
		Mode: m.Plan.Mode.String(), PublicURL: m.Plan.PublicURL, Database: driver(c)}
	if err := ledger.SetSetting(ctx, settingHouse, r.ID, audit.New(m.Now, m.By, "house.make", "house/"+r.ID, map[string]string{
		"organisation": r.Organisation, "mode": r.Mode, "public_url": r.PublicURL})); err != nil {
		return err
	}
	if err := ledger.Close(); err != nil {
		return err
	}
	if err := aside.write(r); err != nil { // from here on the house is complete
		return err
	}
	return h.finishMaking()
}

// unused refuses a database that holds anything of a house, be it one whose making was interrupted: its intents name
// keys that are gone, and must never be signed with others.
func unused(ctx context.Context, ledger *store.Store, dir string) error {
	certs, err := ledger.Certificates(ctx, issuance.Filter{House: true, Limit: 1})
	if err != nil {
		return err
	}
	intents, err := ledger.OpenIntents(ctx)
	if err != nil {
		return err
	}
	if len(certs)+len(intents) > 0 {
		return fault.New(fault.Conflict, "house.database-used", "The database already holds a house or a part of one, but its keys are not in %s. Restore the data directory from a backup, or name an empty database.", dir)
	}
	return nil
}

// settingHouse is the ledger's setting that says whose it is.
const settingHouse = "house"

// checkPublicURL refuses what must not stand in a certificate (SBR 7.1.2.3.b and c: plain http).
func checkPublicURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return fault.New(fault.Invalid, "public-url.malformed", "The public base URL %q cannot be used; write it like http://pki.example.com", s)
	case u.Scheme != "http":
		return fault.New(fault.Refused, "public-url.scheme", "The public base URL must begin with http://, not %s://: who checks a certificate cannot be asked for TLS first (SBR 7.1.2.3). What is fetched there is signed.", u.Scheme)
	case strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0:
		return fault.New(fault.Invalid, "public-url.ascii", "The public base URL %q has letters that a certificate cannot carry. Write the name of the host in its xn-- form.", s)
	case strings.HasSuffix(u.Path, "/"):
		return fault.New(fault.Invalid, "public-url.slash", "Please write the public base URL without a slash at its end: %s", strings.TrimRight(s, "/"))
	}
	return nil
}

// driver is the configured kind of database.
func driver(c config.Config) string {
	if c.Database.Driver == "" {
		return store.SQLite
	}
	return string(c.Database.Driver)
}

// Protect changes how the CA keys of a house are protected.
func Protect(c config.Config, passphrase func() (string, error), p keystore.Protection) error {
	h := home{dir: c.Data}
	if _, err := os.Stat(h.dir); errors.Is(err, os.ErrNotExist) {
		return notThere(h.dir)
	}
	held, err := h.lock()
	if err != nil {
		return err
	}
	defer held.Close()
	switch state, err := h.survey(); {
	case err != nil:
		return err
	case state != complete:
		return notThere(h.dir)
	}
	keys, err := keystore.Open(filepath.Join(h.dir, keysFolder), passphrase)
	if err != nil {
		return err
	}
	return keys.Protect(p)
}

func notThere(dir string) error {
	return fault.New(fault.NotFound, "house.none", "There is no house in %s. Make one with: chancery init --data %s", dir, dir)
}
