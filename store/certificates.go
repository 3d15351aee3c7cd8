package store

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/uptrace/bun"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/fault"
)

// certificateRow is an intent and what became of it. The TBSCertificate is kept while the intent is open or was
// abandoned; the certificate contains it afterwards.
type certificateRow struct {
	bun.BaseModel `bun:"table:certificates"`

	N          int64  `bun:"n,autoincrement"`
	Serial     string `bun:"serial"`
	Issuer     string `bun:"issuer"`
	OrderID    string `bun:"order_id"`
	Profile    string `bun:"profile"`
	Mailbox    string `bun:"mailbox"`
	State      string `bun:"state"`
	KeyKept    bool   `bun:"key_kept"`
	IntendedAt int64  `bun:"intended_at"`
	TBS        []byte `bun:"tbs"`
	DER        []byte `bun:"der"`
	SHA256     []byte `bun:"sha256"`
	SPKI       []byte `bun:"spki"`
	NotBefore  int64  `bun:"not_before"`
	NotAfter   int64  `bun:"not_after"`
	IssuedAt   int64  `bun:"issued_at"`
	RevokedAt  int64  `bun:"revoked_at"`
}

func (r certificateRow) intent() (issuance.Intent, error) {
	i := issuance.Intent{Serial: issuance.Serial(r.Serial), Issuer: r.Issuer, Order: r.OrderID, Profile: r.Profile, Mailbox: r.Mailbox,
		TBS: r.TBS, KeyKept: r.KeyKept, At: instant(r.IntendedAt), State: issuance.IntentState(r.State)}
	if len(i.TBS) == 0 && len(r.DER) > 0 {
		i.TBS = tbsOf(r.DER)
	}
	return i, nil
}

// tbsOf is the TBSCertificate within a certificate (RFC 5280 4.1), nil when there is none.
func tbsOf(der []byte) []byte {
	in := cryptobyte.String(der)
	var certificate, tbs cryptobyte.String
	if !in.ReadASN1(&certificate, asn1.SEQUENCE) || !certificate.ReadASN1Element(&tbs, asn1.SEQUENCE) {
		return nil
	}
	return tbs
}

func (r certificateRow) certificate() (issuance.Certificate, error) {
	return issuance.Certificate{Serial: issuance.Serial(r.Serial), Issuer: r.Issuer, Order: r.OrderID, Profile: r.Profile,
		Mailbox: r.Mailbox, DER: r.DER, SHA256: hex.EncodeToString(r.SHA256), SPKI: hex.EncodeToString(r.SPKI),
		NotBefore: instant(r.NotBefore), NotAfter: instant(r.NotAfter), IssuedAt: instant(r.IssuedAt)}, nil
}

// intend records a new open intent. Its serial number must never have been seen.
func (t *tx) intend(ctx context.Context, i issuance.Intent) error {
	if i.Serial == "" || len(i.TBS) == 0 {
		return fault.New(fault.Internal, "intent.empty", "An intent must say what will be signed.")
	}
	fresh, err := t.insertNew(ctx, &certificateRow{Serial: string(i.Serial), Issuer: i.Issuer, OrderID: i.Order,
		Profile: i.Profile, Mailbox: i.Mailbox, State: string(issuance.Open), KeyKept: i.KeyKept, IntendedAt: micros(i.At), TBS: i.TBS})
	if err == nil && !fresh {
		return fault.New(fault.Conflict, "serial.known", "The serial number %s has been used before.", i.Serial)
	}
	return wrap("record an intent", err)
}

// issue closes an open intent with its certificate. A serial number that was revoked meanwhile stays revoked.
func (t *tx) issue(ctx context.Context, c issuance.Certificate) error {
	sum, err := hex.DecodeString(c.SHA256)
	if err != nil || len(sum) != 32 || len(c.DER) == 0 {
		return fault.New(fault.Internal, "certificate.empty", "A certificate without its bytes or its fingerprint cannot be stored.")
	}
	spki, err := hex.DecodeString(c.SPKI)
	if err != nil {
		return fault.Wrap(err, fault.Internal, "certificate.spki", "The hash of a certificate's key is not hexadecimal.")
	}
	if spki == nil {
		spki = []byte{}
	}
	n, err := t.exec(ctx, `UPDATE certificates SET state = 'done', tbs = $1, der = $2, sha256 = $3, spki = $4, not_before = $5,
		not_after = $6, issued_at = $7 WHERE serial = $8 AND state = 'open' AND issuer = $9 AND order_id = $10`,
		[]byte{}, c.DER, sum, spki, micros(c.NotBefore), micros(c.NotAfter), micros(c.IssuedAt), string(c.Serial), c.Issuer, c.Order)
	if err == nil && n == 0 {
		return errIntentClosed
	}
	return wrap("record a certificate", err)
}

// abandon closes an open intent without a certificate.
func (t *tx) abandon(ctx context.Context, s issuance.Serial) error {
	n, err := t.exec(ctx, `UPDATE certificates SET state = 'abandoned' WHERE serial = $1 AND state = 'open'`, string(s))
	if err == nil && n == 0 {
		return errIntentClosed
	}
	return wrap("abandon an intent", err)
}

var errIntentClosed = fault.New(fault.Conflict, "intent.closed",
	"There is no open intent with this serial number: its certificate was recorded, or it was given up.")

// CommitBatch stores intents, or certificates that close them, all or nothing. Refusals are those of Commit.
func (s *Store) CommitBatch(ctx context.Context, b issuance.Batch, entries ...audit.Entry) error {
	return s.commit(ctx, unit{audit: entries, run: func(ctx context.Context, t *tx) error {
		for _, i := range b.Intents {
			if err := t.intend(ctx, i); err != nil {
				return err
			}
		}
		for _, c := range b.Certificates {
			if err := t.issue(ctx, c); err != nil {
				return err
			}
		}
		return nil
	}})
}

// Intent reads an intent, open or closed; fault.NotFound "serial.unknown" when there is none.
func (s *Store) Intent(ctx context.Context, n issuance.Serial) (issuance.Intent, error) {
	r, err := get[certificateRow](ctx, s, `WHERE serial = $1`, text(string(n)))
	if err != nil {
		return issuance.Intent{}, wrap("read an intent", found(err, "serial.unknown", "This serial number is not known."))
	}
	return r.intent()
}

// OpenIntents reads the intents that are open, oldest first.
func (s *Store) OpenIntents(ctx context.Context) ([]issuance.Intent, error) {
	var out []issuance.Intent
	err := each(ctx, s, func(r certificateRow) error {
		i, err := r.intent()
		out = append(out, i)
		return err
	}, `WHERE state = 'open' ORDER BY n`)
	return out, wrap("read the open intents", err)
}

// Certificate reads a certificate; fault.NotFound "serial.unknown" when there is none, or only an intent.
func (s *Store) Certificate(ctx context.Context, n issuance.Serial) (issuance.Certificate, error) {
	r, err := get[certificateRow](ctx, s, `WHERE serial = $1 AND state = 'done'`, text(string(n)))
	if err != nil {
		return issuance.Certificate{}, wrap("read a certificate", found(err, "serial.unknown", "There is no certificate with this serial number."))
	}
	return r.certificate()
}

// Certificates lists certificates, newest first. An unknown After gives an empty page.
func (s *Store) Certificates(ctx context.Context, f issuance.Filter) ([]issuance.Certificate, error) {
	var rows []certificateRow
	q := s.lists.NewSelect().Model(&rows).Where("state = 'done'").OrderExpr("n DESC").Limit(page(f.Limit))
	if f.After != "" {
		q.Where("n < (SELECT c.n FROM certificates AS c WHERE c.serial = ?)", text(string(f.After)))
	}
	switch {
	case f.Order != "":
		q.Where("order_id = ?", text(f.Order)).Where("order_id <> ''")
	case f.House:
		q.Where("order_id = ''")
	default:
		q.Where("order_id <> ''")
	}
	if f.Issuer != "" {
		q.Where("issuer = ?", text(f.Issuer))
	}
	if f.Text != "" {
		matching(q, f.Text)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, wrap("list certificates", err)
	}
	return mapped(rows, certificateRow.certificate)
}

// matching narrows a list to a serial number or fingerprint where the text can be one, so that an index answers, and
// to a part of the address otherwise.
func matching(q *bun.SelectQuery, part string) {
	if serial, err := issuance.ParseSerial(part); err == nil && len(part) >= 16 {
		q.Where("serial = ?", string(serial))
		return
	}
	if sum, err := hex.DecodeString(part); err == nil && len(sum) == 32 {
		q.Where("sha256 = ?", sum)
		return
	}
	q.Where(`lower(mailbox) LIKE ? ESCAPE '\'`, contains(part))
}

// Expiring lists subscribers' certificates that are valid, not revoked and end from one instant until before another,
// by their end; after is the last serial number of the page before, empty for the first page.
func (s *Store) Expiring(ctx context.Context, from, until time.Time, limit int, after issuance.Serial) ([]issuance.Certificate, error) {
	var rows []certificateRow
	q := s.lists.NewSelect().Model(&rows).Where("state = 'done' AND order_id <> '' AND revoked_at = 0").
		Where("not_after >= ? AND not_after < ?", micros(from), micros(until)).OrderExpr("not_after, n").Limit(page(limit))
	if after != "" {
		q.Where("(not_after, n) > (SELECT c.not_after, c.n FROM certificates AS c WHERE c.serial = ?)", text(string(after)))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, wrap("list certificates that end", err)
	}
	return mapped(rows, certificateRow.certificate)
}
