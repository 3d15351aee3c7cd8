package store

import (
	"context"
	"iter"
	"maps"

	"github.com/uptrace/bun"

	"chancery.example/audit"
)

type auditRow struct {
	bun.BaseModel `bun:"table:audit_entries"`

	Seq       int64  `bun:"seq"`
	At        int64  `bun:"at"`
	ActorKind string `bun:"actor_kind"`
	ActorID   string `bun:"actor_id"`
	Action    string `bun:"action"`
	Subject   string `bun:"subject"`
	Detail    string `bun:"detail"`
	Prev      []byte `bun:"prev"`
	Hash      []byte `bun:"hash"`
}

func auditRowOf(e audit.Entry) auditRow {
	r := auditRow{Seq: e.Seq, At: micros(e.At), ActorKind: string(e.Actor.Kind), ActorID: e.Actor.ID,
		Action: e.Action, Subject: e.Subject, Prev: e.Prev[:], Hash: e.Hash[:]}
	if len(e.Detail) > 0 {
		r.Detail = toJSON(e.Detail)
	}
	return r
}

func (r auditRow) entry() (audit.Entry, error) {
	e := audit.Entry{Seq: r.Seq, At: instant(r.At), Action: r.Action, Subject: r.Subject,
		Actor: audit.Actor{Kind: audit.ActorKind(r.ActorKind), ID: r.ActorID}}
	copy(e.Prev[:], r.Prev)
	copy(e.Hash[:], r.Hash)
	return e, fromJSON(r.Detail, &e.Detail)
}

// storable gives an entry the form in which it comes back from the database, so that its hash holds there.
func storable(e audit.Entry) audit.Entry {
	e.Actor.Kind, e.Actor.ID = audit.ActorKind(text(string(e.Actor.Kind))), text(e.Actor.ID)
	e.Action, e.Subject = text(e.Action), text(e.Subject)
	dirty := false
	for k, v := range e.Detail {
		dirty = dirty || text(k) != k || text(v) != v
	}
	if dirty {
		clean := make(map[string]string, len(e.Detail))
		for k, v := range e.Detail {
			clean[text(k)] = text(v)
		}
		e.Detail = clean
	} else {
		e.Detail = maps.Clone(e.Detail)
	}
	return e
}

// takeHead reads where the chain ends, and keeps others from adding to it until the transaction ends.
func (t *tx) takeHead(ctx context.Context) (audit.Entry, error) {
	query := `SELECT seq, hash FROM audit_head WHERE one = 1`
	if t.store.dialect == PostgreSQL {
		query += ` FOR UPDATE`
	}
	var last audit.Entry
	var hash []byte
	err := t.row(ctx, query, nil, &last.Seq, &hash)
	copy(last.Hash[:], hash)
	return last, err
}

// appendAudit links entries to the chain and moves its head.
func (t *tx) appendAudit(ctx context.Context, last audit.Entry, entries []audit.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	rows := make([]auditRow, len(entries))
	for i, e := range entries {
		last = audit.Link(last, storable(e))
		rows[i] = auditRowOf(last)
	}
	if err := insertAll(ctx, t, rows); err != nil {
		return err
	}
	_, err := t.exec(ctx, `UPDATE audit_head SET seq = $1, hash = $2 WHERE one = 1`, last.Seq, last.Hash[:])
	return err
}

// AppendAudit stores entries that belong to no other change.
func (s *Store) AppendAudit(ctx context.Context, entries ...audit.Entry) error {
	return s.commit(ctx, unit{audit: entries})
}

// AuditHead reads where the chain ends.
func (s *Store) AuditHead(ctx context.Context) (audit.Head, error) {
	var h audit.Head
	var hash []byte
	err := s.read.QueryRowContext(ctx, `SELECT seq, hash FROM audit_head WHERE one = 1`).Scan(&h.Seq, &hash)
	copy(h.Hash[:], hash)
	return h, wrap("read the head of the audit log", err)
}

// auditPage is how many entries AuditLog reads at a time.
const auditPage = 1000

// AuditLog reads all entries in the order of their numbers, a page at a time, so that neither memory nor a
// connection is held however long the log and however slow the reader. Entries that are added meanwhile are read too.
func (s *Store) AuditLog(ctx context.Context) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		for after := int64(0); ; {
			var rows []auditRow
			err := each(ctx, s, func(r auditRow) error { rows = append(rows, r); return nil },
				`WHERE seq > $1 ORDER BY seq LIMIT $2`, after, auditPage)
			if err != nil {
				yield(audit.Entry{}, wrap("read the audit log", err))
				return
			}
			for _, r := range rows {
				e, err := r.entry()
				if !yield(e, wrap("read the audit log", err)) || err != nil {
					return
				}
			}
			if len(rows) < auditPage {
				return
			}
			after = rows[len(rows)-1].Seq
		}
	}
}

// AuditEntries lists entries, newest first.
func (s *Store) AuditEntries(ctx context.Context, f audit.Filter) ([]audit.Entry, error) {
	var rows []auditRow
	q := s.lists.NewSelect().Model(&rows).OrderExpr("seq DESC").Limit(page(f.Limit))
	if f.Subject != "" {
		q.Where("subject = ?", f.Subject)
	}
	if f.Before > 0 {
		q.Where("seq < ?", f.Before)
	}
	if f.Text != "" {
		q.Where(`lower(action || ' ' || actor_kind || '/' || actor_id || ' ' || subject) LIKE ? ESCAPE '\'`, contains(f.Text))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, wrap("list the audit log", err)
	}
	return mapped(rows, auditRow.entry)
}

// mapped turns rows into values of the domain.
func mapped[R, V any](rows []R, f func(R) (V, error)) ([]V, error) {
	out := make([]V, 0, len(rows))
	for _, r := range rows {
		v, err := f(r)
		if err != nil {
			return nil, wrap("read a row", err)
		}
		out = append(out, v)
	}
	return out, nil
}
