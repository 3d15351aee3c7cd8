package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"chancery.example/fault"
)

// micros is the stored form of an instant: microseconds since 1970 UTC, 0 for the zero time. Whole numbers compare
// the same in every database, and give back exactly what was stored.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant is the reverse of micros.
func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// text is the stored form of free text: PostgreSQL refuses NUL and what is not UTF-8, and a text that changed on its
// way through the database would break the audit chain.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// toJSON is the stored form of small structures that are never searched. They are our own and always marshal.
func toJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("store: " + err.Error())
	}
	return string(raw)
}

func fromJSON(s string, v any) error {
	if s == "" {
		return nil
	}
	return json.Unmarshal([]byte(s), v)
}

// wrap names the operation that a database refused. Faults pass as they are.
func wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) {
		return err
	}
	return fmt.Errorf("store: %s: %w", operation, err)
}

// found turns the absence of a row into a fault.NotFound.
func found(err error, code, sentence string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return fault.New(fault.NotFound, code, "%s", sentence)
	}
	return err
}

// contains is a LIKE pattern for a part of a column that is compared in lower case.
func contains(part string) string {
	escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(text(part)))
	return "%" + escaped + "%"
}

// page bounds the length of a list.
func page(limit int) int64 { return int64(min(max(limit, 1), 500)) }
