package store

import (
	"context"
	"database/sql"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/uptrace/bun"
)

// tx is the database transaction that a batch of units shares. Its SQL is the same for both databases: $1, $2, ….
type tx struct {
	store  *Store
	sql    *sql.Tx
	conn   *sql.Conn // under sql
	bound  map[string]*sql.Stmt
	wanted []string // statements that are worth keeping for the next transaction
}

// begin takes the connection and opens a transaction. On SQLite this waits until nobody else writes.
func (s *Store) begin(ctx context.Context) (*tx, error) {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	t, err := conn.BeginTx(ctx, nil)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &tx{store: s, sql: t, conn: conn, bound: map[string]*sql.Stmt{}}, nil
}

// end gives the connection back. What was not committed is rolled back.
func (t *tx) end(ctx context.Context) {
	t.sql.Rollback()
	t.conn.Close()
	t.store.plans.keep(ctx, t.store.write, t.wanted)
	t.wanted = nil
}

// exec runs a statement and says how many rows it changed.
func (t *tx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	var r sql.Result
	st, err := t.bind(ctx, query)
	switch {
	case err != nil:
		return 0, err
	case st != nil:
		r, err = st.ExecContext(ctx, args...)
	default:
		r, err = t.sql.ExecContext(ctx, query, args...)
	}
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row reads one row; sql.ErrNoRows when there is none.
func (t *tx) row(ctx context.Context, query string, args []any, into ...any) error {
	st, err := t.bind(ctx, query)
	switch {
	case err != nil:
		return err
	case st != nil:
		return st.QueryRowContext(ctx, args...).Scan(into...)
	default:
		return t.sql.QueryRowContext(ctx, query, args...).Scan(into...)
	}
}

// insert stores a row as a new one.
func (t *tx) insert(ctx context.Context, row any) error {
	m := t.store.modelOf(reflect.TypeOf(row).Elem())
	_, err := t.exec(ctx, m.insert, m.values(row)...)
	return err
}

// insertNew stores a row as a new one unless one of its unique columns is taken; it says whether it did.
func (t *tx) insertNew(ctx context.Context, row any) (bool, error) {
	m := t.store.modelOf(reflect.TypeOf(row).Elem())
	n, err := t.exec(ctx, m.insertNew, m.values(row)...)
	return n == 1, err
}

// bind gives the prepared form of a statement, and nil on PostgreSQL, where pgx keeps its own. On SQLite, preparing
// costs as much as running.
func (t *tx) bind(ctx context.Context, query string) (*sql.Stmt, error) {
	if t.store.dialect != SQLite {
		return nil, nil
	}
	if st := t.bound[query]; st != nil {
		return st, nil
	}
	var st *sql.Stmt
	if kept := t.store.plans.write(query); kept != nil {
		st = t.sql.StmtContext(ctx, kept)
	} else {
		var err error
		if st, err = t.sql.PrepareContext(ctx, query); err != nil {
			return nil, err
		}
		t.wanted = append(t.wanted, query)
	}
	t.bound[query] = st
	return st, nil
}

// plans keeps prepared statements of SQLite. Their number is that of the statements in this package.
type plans struct {
	writes, reads sync.Map // query -> *sql.Stmt
}

func (p *plans) write(query string) *sql.Stmt {
	if st, ok := p.writes.Load(query); ok {
		return st.(*sql.Stmt)
	}
	return nil
}

// keep prepares statements for later transactions. It must run between transactions: the pool has one connection.
func (p *plans) keep(ctx context.Context, db *sql.DB, queries []string) {
	for _, q := range queries {
		if st, err := db.PrepareContext(ctx, q); err == nil {
			p.writes.Store(q, st)
		}
	}
}

// reading gives the prepared form of a query on the readers.
func (p *plans) reading(ctx context.Context, db *sql.DB, query string) (*sql.Stmt, error) {
	if st, ok := p.reads.Load(query); ok {
		return st.(*sql.Stmt), nil
	}
	st, err := db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if first, there := p.reads.LoadOrStore(query, st); there {
		st.Close()
		return first.(*sql.Stmt), nil
	}
	return st, nil
}

func (p *plans) close() {
	for _, m := range []*sync.Map{&p.writes, &p.reads} {
		m.Range(func(_, st any) bool { st.(*sql.Stmt).Close(); return true })
	}
}

// model is what SQL needs to know of a row type. The query builder reads the struct's tags once.
type model struct {
	insert, insertNew, selection string

	fields   [][]int // of all columns, in the order of selection
	inserted [][]int // without the number that the database gives
}

var bytesType = reflect.TypeFor[[]byte]()

func (s *Store) modelOf(typ reflect.Type) *model {
	if m, ok := s.models.Load(typ); ok {
		return m.(*model)
	}
	m := newModel(s.lists, typ)
	s.models.Store(typ, m)
	return m
}

func newModel(db *bun.DB, typ reflect.Type) *model {
	table := db.Table(typ)
	var m model
	var names, inserts, marks []string
	for _, f := range table.Fields {
		names = append(names, f.Name)
		m.fields = append(m.fields, f.Index)
		if f.AutoIncrement {
			continue
		}
		inserts = append(inserts, f.Name)
		m.inserted = append(m.inserted, f.Index)
		marks = append(marks, "$"+strconv.Itoa(len(inserts)))
	}
	m.insert = "INSERT INTO " + table.Name + " (" + strings.Join(inserts, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
	m.insertNew = m.insert + " ON CONFLICT DO NOTHING"
	m.selection = "SELECT " + strings.Join(names, ", ") + " FROM " + table.Name + " "
	return &m
}

// values are what an insert of a row binds. No bytes are empty bytes: the schema knows no NULL.
func (m *model) values(row any) []any {
	v := reflect.ValueOf(row).Elem()
	out := make([]any, len(m.inserted))
	for i, index := range m.inserted {
		f := v.FieldByIndex(index)
		if f.Type() == bytesType && f.IsNil() {
			out[i] = []byte{}
			continue
		}
		out[i] = f.Interface()
	}
	return out
}

func (m *model) targets(row any) []any {
	v := reflect.ValueOf(row).Elem()
	out := make([]any, len(m.fields))
	for i, index := range m.fields {
		out[i] = v.FieldByIndex(index).Addr().Interface()
	}
	return out
}

// get reads the one row that where names; sql.ErrNoRows when there is none.
func get[T any](ctx context.Context, s *Store, where string, args ...any) (row T, err error) {
	m := s.modelOf(reflect.TypeFor[T]())
	err = s.one(ctx, m.selection+where, args, m.targets(&row)...)
	return row, err
}

// one reads one row by a query whose text does not change from call to call; sql.ErrNoRows when there is none.
func (s *Store) one(ctx context.Context, query string, args []any, into ...any) error {
	if s.dialect != SQLite {
		return s.read.QueryRowContext(ctx, query, args...).Scan(into...)
	}
	st, err := s.plans.reading(ctx, s.read, query)
	if err != nil {
		return err
	}
	return st.QueryRowContext(ctx, args...).Scan(into...)
}

// each calls f for the rows that where names, one after the other. It holds a reader's connection meanwhile.
func each[T any](ctx context.Context, s *Store, f func(T) error, where string, args ...any) error {
	m := s.modelOf(reflect.TypeFor[T]())
	rows, err := s.read.QueryContext(ctx, m.selection+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var row T
		if err := rows.Scan(m.targets(&row)...); err != nil {
			return err
		}
		if err := f(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// insertAll stores rows as new ones. PostgreSQL gets them in one message.
func insertAll[T any](ctx context.Context, t *tx, rows []T) error {
	if t.store.dialect == PostgreSQL && len(rows) > 1 {
		_, err := t.store.lists.NewInsert().Conn(t.sql).Model(&rows).Exec(ctx)
		return err
	}
	for i := range rows {
		if err := t.insert(ctx, &rows[i]); err != nil {
			return err
		}
	}
	return nil
}
