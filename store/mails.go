package store

import (
	"context"

	"github.com/uptrace/bun"

	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/notify"
)

type mailRow struct {
	bun.BaseModel `bun:"table:mails"`

	N         int64  `bun:"n,autoincrement"`
	ID        string `bun:"id"`
	Kind      string `bun:"kind"`
	Recipient string `bun:"recipient"`
	Language  string `bun:"language"`
	OrderID   string `bun:"order_id"`
	Serial    string `bun:"serial"`
	State     string `bun:"state"`
	Attempts  int64  `bun:"attempts"`
	LastError string `bun:"last_error"`
	CreatedAt int64  `bun:"created_at"`
	SentAt    int64  `bun:"sent_at"`
}

func mailRowOf(m notify.Mail) mailRow {
	return mailRow{ID: m.ID, Kind: string(m.Kind), Recipient: m.To.String(), Language: text(m.Language), OrderID: m.Order, Serial: m.Serial,
		State: string(m.State), Attempts: int64(m.Attempts), LastError: text(m.LastError), CreatedAt: micros(m.CreatedAt), SentAt: micros(m.SentAt)}
}

func (r mailRow) mail() (notify.Mail, error) {
	to, err := storedAddress(r.Recipient)
	return notify.Mail{ID: r.ID, Kind: notify.Kind(r.Kind), To: to, Language: r.Language, Order: r.OrderID, Serial: r.Serial,
		State: notify.State(r.State), Attempts: int(r.Attempts), LastError: r.LastError, CreatedAt: instant(r.CreatedAt), SentAt: instant(r.SentAt)}, err
}

// putMails stores mails, new or changed.
func (t *tx) putMails(ctx context.Context, mails []notify.Mail) error {
	for _, m := range mails {
		if m.ID == "" {
			return fault.New(fault.Internal, "mail.id", "A mail without an identifier cannot be stored.")
		}
		r := mailRowOf(m)
		fresh, err := t.insertNew(ctx, &r)
		if err == nil && !fresh {
			_, err = t.exec(ctx, `UPDATE mails SET kind = $1, recipient = $2, language = $3, order_id = $4, serial = $5, state = $6,
				attempts = $7, last_error = $8, created_at = $9, sent_at = $10 WHERE id = $11`,
				r.Kind, r.Recipient, r.Language, r.OrderID, r.Serial, r.State, r.Attempts, r.LastError, r.CreatedAt, r.SentAt, r.ID)
		}
		if err != nil {
			return wrap("store a mail", err)
		}
	}
	return nil
}

// CommitMail stores what became of a mail that is about no move of an order, with its audit entries.
func (s *Store) CommitMail(ctx context.Context, m notify.Mail, entries ...audit.Entry) error {
	return s.commit(ctx, unit{audit: entries, run: func(ctx context.Context, t *tx) error {
		return t.putMails(ctx, []notify.Mail{m})
	}})
}

// CommitReminder stores a new mail with the job that sends it and the entry that tells of it.
func (s *Store) CommitReminder(ctx context.Context, m notify.Mail, send jobs.Job, told audit.Entry) error {
	return s.commit(ctx, unit{audit: []audit.Entry{told}, jobs: []jobs.Job{send}, run: func(ctx context.Context, t *tx) error {
		return t.putMails(ctx, []notify.Mail{m})
	}})
}

// Mail reads a mail; fault.NotFound "mail.unknown" when there is none.
func (s *Store) Mail(ctx context.Context, id string) (notify.Mail, error) {
	r, err := get[mailRow](ctx, s, `WHERE id = $1`, text(id))
	if err != nil {
		return notify.Mail{}, wrap("read a mail", found(err, "mail.unknown", "There is no such mail."))
	}
	return r.mail()
}

// Mails lists mails, newest first. An unknown After gives an empty page.
func (s *Store) Mails(ctx context.Context, f notify.Filter) ([]notify.Mail, error) {
	var rows []mailRow
	q := s.lists.NewSelect().Model(&rows).OrderExpr("n DESC").Limit(page(f.Limit))
	if f.After != "" {
		q.Where("n < (SELECT m.n FROM mails AS m WHERE m.id = ?)", text(f.After))
	}
	if f.Order != "" {
		q.Where("order_id = ?", text(f.Order)).Where("order_id <> ''")
	}
	if f.Serial != "" {
		q.Where("serial = ?", text(f.Serial)).Where("serial <> ''")
	}
	if f.Kind != "" {
		q.Where("kind = ?", text(string(f.Kind)))
	}
	if f.State != "" {
		q.Where("state = ?", text(string(f.State)))
	}
	if f.Text != "" {
		q.Where(`lower(recipient) LIKE ? ESCAPE '\'`, contains(f.Text))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, wrap("list mails", err)
	}
	return mapped(rows, mailRow.mail)
}
