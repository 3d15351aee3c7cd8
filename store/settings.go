package store

import (
	"context"

	"chancery.example/audit"
)

// Setting reads what the house remembers under a key; fault.NotFound "setting.none" when there is nothing.
func (s *Store) Setting(ctx context.Context, key string) (value string, err error) {
	err = s.one(ctx, `SELECT value FROM settings WHERE key = $1`, []any{text(key)}, &value)
	return value, wrap("read a setting", found(err, "setting.none", "There is no such setting."))
}

// SetSetting remembers a value under a key, in place of an earlier one, with its audit entries.
func (s *Store) SetSetting(ctx context.Context, key, value string, entries ...audit.Entry) error {
	return s.commit(ctx, unit{audit: entries, run: func(ctx context.Context, t *tx) error {
		_, err := t.exec(ctx, `INSERT INTO settings (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
			text(key), text(value))
		return wrap("store a setting", err)
	}})
}
