package store

import (
	"context"
	"database/sql"
	"time"

	"chancery.example/lifecycle"
	"chancery.example/ra/order"
)

const (
	day        = 24 * time.Hour
	censusDays = 30
)

// Census counts what there is at an instant. Days and weeks are those of UTC; a week begins on Monday. Ended
// certificates are those past their end, revoked or not; Revoked counts those that would still be valid. All counts
// are answered by indexes. They are read one after the other, so a step between them may show in one and not in another.
func (s *Store) Census(ctx context.Context, now time.Time) (lifecycle.Census, error) {
	c := lifecycle.Census{At: now, Orders: map[order.State]int{}}
	at := micros(now)
	today := now.UTC().Truncate(day)
	firstDay := micros(today.Add(-(censusDays - 1) * day))
	monday := micros(today.Add(-time.Duration((int(today.Weekday())+6)%7) * day))
	const subscribers = ` FROM certificates WHERE state = 'done' AND order_id <> '' AND revoked_at = 0 `
	const revoked = ` FROM certificates WHERE state = 'done' AND order_id <> '' AND revoked_at > 0 `
	counts := []struct {
		into  *int
		query string
		args  []any
	}{
		{&c.Valid, `SELECT count(*)` + subscribers + `AND not_after > $1`, []any{at}},
		{&c.Revoked, `SELECT count(*)` + revoked + `AND not_after > $1`, []any{at}},
		{&c.Ended, `SELECT (SELECT count(*)` + subscribers + `AND not_after <= $1) + (SELECT count(*)` + revoked + `AND not_after <= $1)`, []any{at}},
		{&c.MailsWaiting, `SELECT count(*) FROM mails WHERE state IN ('queued', 'sending') AND created_at >= $1`, []any{firstDay}},
		{&c.MailsFailed, `SELECT count(*) FROM mails WHERE state = 'failed' AND created_at >= $1`, []any{firstDay}},
		// River moves a job to available when it is due, and removes what was given up after keptFailed.
		{&c.JobsWaiting, `SELECT count(*) FROM river_job WHERE state IN ('available', 'running')`, nil},
		{&c.JobsFailed, `SELECT count(*) FROM river_job WHERE state IN ('discarded', 'cancelled')`, nil},
	}
	for _, n := range counts {
		if err := s.one(ctx, n.query, n.args, n.into); err != nil {
			return c, wrap("count", err)
		}
	}
	if err := s.countOrders(ctx, c.Orders, at); err != nil {
		return c, wrap("count the orders", err)
	}
	spread := []struct {
		into     []int
		query    string
		from     int64
		width    time.Duration
		notSince int64
	}{
		{c.Expiring[:], `SELECT (not_after - $1) / $2, count(*)` + subscribers + `AND not_after > $3 GROUP BY 1`, monday, 7 * day, at},
		{c.IssuedByDay[:], `SELECT (issued_at - $1) / $2, count(*) FROM certificates WHERE state = 'done' AND order_id <> '' AND issued_at >= $3 GROUP BY 1`, firstDay, day, firstDay},
		{c.RevokedByDay[:], `SELECT (revoked_at - $1) / $2, count(*)` + revoked + `AND revoked_at >= $3 GROUP BY 1`, firstDay, day, firstDay},
	}
	for _, n := range spread {
		if err := s.countInto(ctx, n.into, n.query, n.from, n.width.Microseconds(), n.notSince); err != nil {
			return c, wrap("count", err)
		}
	}
	return c, nil
}

// countOrders counts by stored state; those whose deadline passed count as expired, as Order.StateAt has it.
func (s *Store) countOrders(ctx context.Context, into map[order.State]int, at int64) error {
	rows, err := s.read.QueryContext(ctx, `SELECT state, count(*), sum(CASE WHEN deadline > 0 AND deadline <= $1 THEN 1 ELSE 0 END)
		FROM orders GROUP BY state`, at)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		var all, late int
		if err := rows.Scan(&state, &all, &late); err != nil {
			return err
		}
		if all > late {
			into[order.State(state)] += all - late
		}
		if late > 0 {
			into[order.Expired] += late
		}
	}
	return rows.Err()
}

// countInto fills a row of counts from a query that gives index and count; what falls outside is left out.
func (s *Store) countInto(ctx context.Context, into []int, query string, args ...any) error {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var i sql.NullInt64
		var n int
		if err := rows.Scan(&i, &n); err != nil {
			return err
		}
		if i.Int64 >= 0 && i.Int64 < int64(len(into)) {
			into[i.Int64] += n
		}
	}
	return rows.Err()
}
