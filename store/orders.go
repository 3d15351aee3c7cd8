package store

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/mailbox"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

type orderRow struct {
	bun.BaseModel `bun:"table:orders"`

	N           int64  `bun:"n,autoincrement"`
	ID          string `bun:"id"`
	Version     int64  `bun:"version"`
	State       string `bun:"state"`
	Mailbox     string `bun:"mailbox"`
	Profile     string `bun:"profile"`
	Language    string `bun:"language"`
	Agreement   string `bun:"agreement"`
	ByKind      string `bun:"by_kind"`
	ByID        string `bun:"by_id"`
	Request     []byte `bun:"request"`
	Renews      string `bun:"renews"`
	Serial      string `bun:"serial"`
	CreatedAt   int64  `bun:"created_at"`
	ApprovedAt  int64  `bun:"approved_at"`
	DeliveredAt int64  `bun:"delivered_at"`
	Deadline    int64  `bun:"deadline"`
	Reasons     string `bun:"reasons"`
}

func orderRowOf(o order.Order) orderRow {
	r := orderRow{ID: string(o.ID), Version: o.Version, State: string(o.State), Mailbox: o.Mailbox.String(), Profile: o.Profile,
		Language: text(o.Language), Agreement: toJSON(o.Agreement), ByKind: text(string(o.By.Kind)), ByID: text(o.By.ID),
		Request: o.Request, Renews: o.Renews, Serial: o.Serial, CreatedAt: micros(o.CreatedAt),
		ApprovedAt: micros(o.ApprovedAt), DeliveredAt: micros(o.DeliveredAt), Deadline: micros(o.Deadline())}
	if len(o.Reasons) > 0 {
		r.Reasons = toJSON(o.Reasons)
	}
	return r
}

func (r orderRow) order() (order.Order, error) {
	o := order.Order{ID: order.ID(r.ID), Version: r.Version, State: order.State(r.State), Profile: r.Profile,
		Language: r.Language, By: audit.Actor{Kind: audit.ActorKind(r.ByKind), ID: r.ByID}, Renews: r.Renews, Serial: r.Serial,
		CreatedAt: instant(r.CreatedAt), ApprovedAt: instant(r.ApprovedAt), DeliveredAt: instant(r.DeliveredAt)}
	if len(r.Request) > 0 {
		o.Request = r.Request
	}
	var err error
	if o.Mailbox, err = storedAddress(r.Mailbox); err != nil {
		return o, err
	}
	if err := fromJSON(r.Agreement, &o.Agreement); err != nil {
		return o, err
	}
	return o, fromJSON(r.Reasons, &o.Reasons)
}

// storedAddress reads an address that was valid when it was stored.
func storedAddress(s string) (mailbox.Address, error) {
	var a mailbox.Address
	return a, a.UnmarshalText([]byte(s))
}

// Commit stores a step of an order, all or nothing, durably. See workflow.Step for what is refused, with
// fault.Conflict "order.changed", "serial.known" and "intent.closed", and fault.Gone "link.used".
func (s *Store) Commit(ctx context.Context, st workflow.Step) error {
	return s.commit(ctx, unit{audit: st.Audit, jobs: st.Jobs, run: func(ctx context.Context, t *tx) error {
		// Refusals come first, so that they cost little.
		if err := t.putOrder(ctx, st.Order); err != nil {
			return err
		}
		if st.Used != nil {
			if err := t.useLink(ctx, *st.Used, st); err != nil {
				return err
			}
		}
		if err := t.closeAndOpen(ctx, st); err != nil {
			return err
		}
		for _, l := range st.Links {
			row := linkRowOf(l)
			if err := t.insert(ctx, &row); err != nil {
				return wrap("store a link", err)
			}
		}
		for _, e := range st.Evidence {
			row := evidenceRowOf(e)
			if err := t.insert(ctx, &row); err != nil {
				return wrap("store evidence", err)
			}
		}
		if err := t.compromise(ctx, st.Compromised); err != nil {
			return err
		}
		if err := t.revoke(ctx, st.Revoked); err != nil {
			return err
		}
		return t.putMails(ctx, st.Mails)
	}})
}

// closeAndOpen moves the intents of a step: old ones are closed before a new one is opened.
func (t *tx) closeAndOpen(ctx context.Context, st workflow.Step) error {
	if st.Abandoned != "" {
		if err := t.abandon(ctx, st.Abandoned); err != nil {
			return err
		}
	}
	if st.Issued != nil {
		if err := t.issue(ctx, *st.Issued); err != nil {
			return err
		}
	}
	if st.Intent != nil {
		return t.intend(ctx, *st.Intent)
	}
	return nil
}

// putOrder stores an order that was made from the version that the ledger holds, and counts the version up.
func (t *tx) putOrder(ctx context.Context, o order.Order) error {
	if !o.ID.Valid() {
		return fault.New(fault.Internal, "order.id", "An order without an identifier cannot be stored.")
	}
	r := orderRowOf(o)
	r.Version++
	if o.Version == 0 {
		fresh, err := t.insertNew(ctx, &r)
		if err == nil && !fresh {
			return errOrderChanged
		}
		return wrap("store an order", err)
	}
	request := r.Request
	if request == nil {
		request = []byte{}
	}
	n, err := t.exec(ctx, `UPDATE orders SET version = $1, state = $2, mailbox = $3, profile = $4, language = $5, agreement = $6,
		by_kind = $7, by_id = $8, request = $9, renews = $10, serial = $11, created_at = $12, approved_at = $13,
		delivered_at = $14, deadline = $15, reasons = $16 WHERE id = $17 AND version = $18`,
		r.Version, r.State, r.Mailbox, r.Profile, r.Language, r.Agreement, r.ByKind, r.ByID, request, r.Renews, r.Serial,
		r.CreatedAt, r.ApprovedAt, r.DeliveredAt, r.Deadline, r.Reasons, r.ID, o.Version)
	if err == nil && n == 0 {
		return errOrderChanged
	}
	return wrap("store an order", err)
}

var errOrderChanged = fault.New(fault.Conflict, "order.changed", "Somebody else changed this order at the same moment. Look at it again.")

// Order reads an order; fault.NotFound "order.unknown" when there is none.
func (s *Store) Order(ctx context.Context, id order.ID) (order.Order, error) {
	r, err := get[orderRow](ctx, s, `WHERE id = $1`, text(string(id)))
	if err != nil {
		return order.Order{}, wrap("read an order", found(err, "order.unknown", "There is no such order."))
	}
	return r.order()
}

// Orders lists orders, newest first. An unknown After gives an empty page.
func (s *Store) Orders(ctx context.Context, f order.Filter) ([]order.Order, error) {
	var rows []orderRow
	q := s.lists.NewSelect().Model(&rows).OrderExpr("n DESC").Limit(page(f.Limit))
	if f.After != "" {
		q.Where("n < (SELECT o.n FROM orders AS o WHERE o.id = ?)", text(string(f.After)))
	}
	if f.State != "" {
		q.Where("state = ?", text(string(f.State)))
	}
	if !f.Mailbox.IsZero() {
		q.Where("mailbox = ?", f.Mailbox.String())
	}
	if f.Text != "" {
		q.Where(`(lower(mailbox) LIKE ? ESCAPE '\' OR id LIKE ? ESCAPE '\')`, contains(f.Text), contains(f.Text))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, wrap("list orders", err)
	}
	return mapped(rows, orderRow.order)
}

type linkRow struct {
	bun.BaseModel `bun:"table:links"`

	Hash      []byte `bun:"hash"`
	OrderID   string `bun:"order_id"`
	Purpose   string `bun:"purpose"`
	Mail      string `bun:"mail"`
	CreatedAt int64  `bun:"created_at"`
	ExpiresAt int64  `bun:"expires_at"`
	UsedAt    int64  `bun:"used_at"`
}

func linkRowOf(l order.Link) linkRow {
	return linkRow{Hash: l.Hash[:], OrderID: string(l.Order), Purpose: string(l.Purpose), Mail: l.Mail,
		CreatedAt: micros(l.CreatedAt), ExpiresAt: micros(l.ExpiresAt), UsedAt: micros(l.UsedAt)}
}

// Link reads a link by its hash; fault.NotFound "link.unknown" when there is none.
func (s *Store) Link(ctx context.Context, h order.SecretHash) (order.Link, error) {
	r, err := get[linkRow](ctx, s, `WHERE hash = $1`, h[:])
	if err != nil {
		return order.Link{}, wrap("read a link", found(err, "link.unknown", "This link is not known. Please open it exactly as it stands in the mail."))
	}
	return order.Link{Hash: h, Order: order.ID(r.OrderID), Purpose: order.Purpose(r.Purpose), Mail: r.Mail,
		CreatedAt: instant(r.CreatedAt), ExpiresAt: instant(r.ExpiresAt), UsedAt: instant(r.UsedAt)}, nil
}

// useLink marks a link as used, once.
func (t *tx) useLink(ctx context.Context, h order.SecretHash, st workflow.Step) error {
	n, err := t.exec(ctx, `UPDATE links SET used_at = $1 WHERE hash = $2 AND order_id = $3 AND used_at = 0`,
		micros(usedAt(st)), h[:], string(st.Order.ID))
	if err == nil && n == 0 {
		return fault.New(fault.Gone, "link.used", "This link has already been used.")
	}
	return wrap("use a link", err)
}

// usedAt is when a step took place: its audit entries say so, and a step without any happens now.
func usedAt(st workflow.Step) time.Time {
	if len(st.Audit) > 0 && !st.Audit[0].At.IsZero() {
		return st.Audit[0].At
	}
	return time.Now()
}

type evidenceRow struct {
	bun.BaseModel `bun:"table:evidence"`

	ID     string `bun:"id"`
	Kind   string `bun:"kind"`
	Value  string `bun:"value"`
	Method string `bun:"method"`
	Rule   string `bun:"rule"`
	At     int64  `bun:"at"`
	Origin string `bun:"origin"`
	Detail string `bun:"detail"`
}

func evidenceRowOf(e approval.Evidence) evidenceRow {
	r := evidenceRow{ID: e.ID, Kind: string(e.Claim.Kind), Value: text(e.Claim.Value), Method: string(e.Method),
		Rule: text(e.Rule), At: micros(e.At), Origin: text(e.Origin)}
	if len(e.Detail) > 0 {
		r.Detail = toJSON(e.Detail)
	}
	return r
}

func (r evidenceRow) evidence() (approval.Evidence, error) {
	e := approval.Evidence{ID: r.ID, Claim: approval.Claim{Kind: approval.ClaimKind(r.Kind), Value: r.Value},
		Method: approval.Method(r.Method), Rule: r.Rule, At: instant(r.At), Origin: r.Origin}
	return e, fromJSON(r.Detail, &e.Detail)
}

// maxEvidence bounds what is read for one claim: the youngest. Older evidence can only have lapsed earlier.
const maxEvidence = 50

// Evidence reads the evidence for claims, youngest first for each, whichever order it was gathered for.
func (s *Store) Evidence(ctx context.Context, claims []approval.Claim) ([]approval.Evidence, error) {
	var out []approval.Evidence
	for _, c := range claims {
		err := each(ctx, s, func(r evidenceRow) error {
			e, err := r.evidence()
			out = append(out, e)
			return err
		}, `WHERE kind = $1 AND value = $2 ORDER BY at DESC, id LIMIT $3`, string(c.Kind), text(c.Value), maxEvidence)
		if err != nil {
			return nil, wrap("read evidence", err)
		}
	}
	return out, nil
}
