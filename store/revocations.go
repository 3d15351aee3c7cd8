package store

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/uptrace/bun"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/fault"
)

type revocationRow struct {
	bun.BaseModel `bun:"table:revocations"`

	Issuer   string `bun:"issuer"`
	N        int64  `bun:"n"`
	Serial   string `bun:"serial"`
	At       int64  `bun:"at"`
	Reason   int64  `bun:"reason"`
	Actor    string `bun:"actor"`
	NotAfter int64  `bun:"not_after"`
}

func (r revocationRow) revocation() status.Revocation {
	return status.Revocation{N: r.N, Serial: issuance.Serial(r.Serial), Issuer: r.Issuer, At: instant(r.At),
		Reason: status.Reason(r.Reason), By: r.Actor, NotAfter: instant(r.NotAfter)}
}

// revoke numbers and stores revocations. A serial number that is already revoked stays as it was; one that the ledger
// does not know under the issuer is refused with fault.NotFound.
func (t *tx) revoke(ctx context.Context, revoked []status.Revocation) error {
	for _, r := range revoked {
		var known int64
		err := t.row(ctx, `SELECT count(*) FROM certificates WHERE serial = $1 AND issuer = $2`, []any{text(string(r.Serial)), r.Issuer}, &known)
		if err == nil && known == 0 {
			return fault.New(fault.NotFound, "serial.unknown", "The serial number %s is not known.", r.Serial)
		}
		if err != nil {
			return wrap("look for a serial number", err)
		}
		var before, last int64
		if err := t.row(ctx, `SELECT count(*) FROM revocations WHERE serial = $1`, []any{string(r.Serial)}, &before); err != nil {
			return wrap("look for a revocation", err)
		}
		if before > 0 {
			continue
		}
		if err := t.row(ctx, `SELECT coalesce(max(n), 0) FROM revocations WHERE issuer = $1`, []any{r.Issuer}, &last); err != nil {
			return wrap("number a revocation", err)
		}
		row := revocationRow{Issuer: r.Issuer, N: last + 1, Serial: string(r.Serial), At: micros(r.At), Reason: int64(r.Reason),
			Actor: text(r.By), NotAfter: micros(r.NotAfter)}
		if err := t.insert(ctx, &row); err != nil {
			return wrap("store a revocation", err)
		}
		if _, err := t.exec(ctx, `UPDATE certificates SET revoked_at = $1 WHERE serial = $2`, row.At, row.Serial); err != nil {
			return wrap("mark a certificate as revoked", err)
		}
		if r.Reason != status.KeyCompromise {
			continue
		}
		if _, err := t.exec(ctx, `INSERT INTO compromised_keys (spki) SELECT spki FROM certificates WHERE serial = $1 AND state = 'done'
			ON CONFLICT (spki) DO NOTHING`, row.Serial); err != nil {
			return wrap("remember a compromised key", err)
		}
	}
	return nil
}

// compromise remembers keys that somebody else may know.
func (t *tx) compromise(ctx context.Context, keys []string) error {
	for _, k := range keys {
		sum, err := hex.DecodeString(k)
		if err != nil || len(sum) != 32 {
			return fault.Wrap(err, fault.Internal, "certificate.spki", "The hash of a key is not a SHA-256 in hexadecimal.")
		}
		if _, err := t.exec(ctx, `INSERT INTO compromised_keys (spki) VALUES ($1) ON CONFLICT (spki) DO NOTHING`, sum); err != nil {
			return wrap("remember a compromised key", err)
		}
	}
	return nil
}

// LiveWithKey reads the subscribers' certificates for a key that are not revoked. It looks at every certificate: keys
// are reported seldom, and an index on random keys would cost every issuance.
func (s *Store) LiveWithKey(ctx context.Context, spki string) ([]issuance.Certificate, error) {
	sum, err := hex.DecodeString(spki)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "certificate.spki", "The hash of a key is not hexadecimal.")
	}
	var list []issuance.Certificate
	err = each(ctx, s, func(r certificateRow) error {
		c, err := r.certificate()
		list = append(list, c)
		return err
	}, `WHERE spki = $1 AND state = 'done' AND order_id <> '' AND revoked_at = 0 ORDER BY n`, sum)
	return list, wrap("read the certificates of a key", err)
}

// CompromisedKey reports whether a certificate for this key, of whomever, was revoked because the key may be known to
// somebody else. spki is the SHA-256 of its SubjectPublicKeyInfo in hex.
func (s *Store) CompromisedKey(ctx context.Context, spki string) (bool, error) {
	sum, err := hex.DecodeString(spki)
	if err != nil {
		return false, fault.Wrap(err, fault.Internal, "certificate.spki", "The hash of a key is not hexadecimal.")
	}
	var n int64
	err = s.one(ctx, `SELECT count(*) FROM compromised_keys WHERE spki = $1`, []any{sum}, &n)
	return n > 0, wrap("look for a compromised key", err)
}

// CommitRevocations stores a change of status, all or nothing. A serial number that is already revoked stays as it was.
func (s *Store) CommitRevocations(ctx context.Context, c status.Change) error {
	return s.commit(ctx, unit{audit: c.Audit, jobs: c.Jobs, run: func(ctx context.Context, t *tx) error {
		if err := t.revoke(ctx, c.Revocations); err != nil {
			return err
		}
		return t.putMails(ctx, c.Mails)
	}})
}

// Standing reads what is known of a serial number under an issuer. That there is none is an answer, not an error.
func (s *Store) Standing(ctx context.Context, issuer string, n issuance.Serial) (status.Standing, error) {
	const query = `SELECT c.revoked_at, coalesce(r.n, 0), coalesce(r.at, 0), coalesce(r.reason, 0), coalesce(r.actor, ''), coalesce(r.not_after, 0)
		FROM certificates c LEFT JOIN revocations r ON r.serial = c.serial WHERE c.serial = $1 AND c.issuer = $2`
	r := revocationRow{Issuer: issuer, Serial: string(n)}
	var at int64
	err := s.one(ctx, query, []any{text(string(n)), text(issuer)}, &at, &r.N, &r.At, &r.Reason, &r.Actor, &r.NotAfter)
	switch {
	case fault.Is(found(err, "", ""), fault.NotFound):
		return status.Standing{}, nil
	case err != nil:
		return status.Standing{}, wrap("read the standing of a certificate", err)
	case r.N == 0:
		return status.Standing{Known: true}, nil
	}
	revocation := r.revocation()
	return status.Standing{Known: true, Revocation: &revocation}, nil
}

// LastRevocation is the highest number given to a revocation of an issuer, 0 when there is none. Numbers become
// visible in their order.
func (s *Store) LastRevocation(ctx context.Context, issuer string) (n int64, err error) {
	err = s.one(ctx, `SELECT coalesce(max(n), 0) FROM revocations WHERE issuer = $1`, []any{text(issuer)}, &n)
	return n, wrap("read the last revocation", err)
}

// Revocations calls f, by number, for each revocation of an issuer with a number above after whose certificate ends
// after notBefore. It reads one snapshot and holds one connection until it returns.
func (s *Store) Revocations(ctx context.Context, issuer string, after int64, notBefore time.Time, f func(status.Revocation) error) error {
	least := micros(notBefore)
	if notBefore.IsZero() {
		least = -1 // a certificate without a known end is never too old
	}
	err := each(ctx, s, func(r revocationRow) error { return f(r.revocation()) },
		`WHERE issuer = $1 AND n > $2 AND not_after > $3 ORDER BY n`, text(issuer), after, least)
	return wrap("read the revocations", err)
}

type crlRow struct {
	bun.BaseModel `bun:"table:crls"`

	Issuer     string `bun:"issuer"`
	Number     int64  `bun:"number"`
	Upto       int64  `bun:"upto"`
	DER        []byte `bun:"der"`
	ThisUpdate int64  `bun:"this_update"`
	NextUpdate int64  `bun:"next_update"`
}

// LastCRL reads the newest list of an issuer; fault.NotFound "crl.none" when there is none.
func (s *Store) LastCRL(ctx context.Context, issuer string) (status.CRL, error) {
	r, err := get[crlRow](ctx, s, `WHERE issuer = $1 ORDER BY number DESC LIMIT 1`, text(issuer))
	if err != nil {
		return status.CRL{}, wrap("read a revocation list", found(err, "crl.none", "There is no revocation list of this issuer yet."))
	}
	return status.CRL{Issuer: r.Issuer, Number: r.Number, Upto: r.Upto, DER: r.DER, ThisUpdate: instant(r.ThisUpdate), NextUpdate: instant(r.NextUpdate)}, nil
}

// keptCRLs is how many lists of an issuer keep their bytes; of older ones only the numbers and times stay.
const keptCRLs = 3

// CommitCRL stores a list; fault.Conflict "crl.number" when its number is not the next one (the first is 1).
func (s *Store) CommitCRL(ctx context.Context, c status.CRL, entries ...audit.Entry) error {
	return s.commit(ctx, unit{audit: entries, run: func(ctx context.Context, t *tx) error {
		var last int64
		if err := t.row(ctx, `SELECT coalesce(max(number), 0) FROM crls WHERE issuer = $1`, []any{c.Issuer}, &last); err != nil {
			return wrap("read the last number of a revocation list", err)
		}
		if c.Number != last+1 {
			return fault.New(fault.Conflict, "crl.number", "The next revocation list of %q has number %d, not %d.", c.Issuer, last+1, c.Number)
		}
		row := crlRow{Issuer: c.Issuer, Number: c.Number, Upto: c.Upto, DER: c.DER, ThisUpdate: micros(c.ThisUpdate), NextUpdate: micros(c.NextUpdate)}
		if err := t.insert(ctx, &row); err != nil {
			return wrap("store a revocation list", err)
		}
		_, err := t.exec(ctx, `UPDATE crls SET der = $1 WHERE issuer = $2 AND number = $3`, []byte{}, c.Issuer, c.Number-keptCRLs)
		return wrap("shorten an old revocation list", err)
	}})
}
