-- +goose Up
-- Who may sign in, and with what. Secrets that the house handed out are here as hashes only; the data of
-- authenticator apps and ceremonies is sealed under a key that is not in the database.

CREATE TABLE accounts (
    n           INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    version     INTEGER NOT NULL,
    name        TEXT    NOT NULL,
    email       TEXT    NOT NULL UNIQUE,
    roles       TEXT    NOT NULL, -- names with a blank before, between and after them
    language    TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    ready_at    INTEGER NOT NULL,
    disabled_at INTEGER NOT NULL
);

CREATE TABLE credentials (
    n            INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    version      INTEGER NOT NULL,
    account      TEXT    NOT NULL REFERENCES accounts (id),
    kind         TEXT    NOT NULL CHECK (kind IN ('password', 'totp', 'passkey', 'recovery')),
    name         TEXT    NOT NULL,
    data         BLOB    NOT NULL,
    counter      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
);
CREATE INDEX credentials_account ON credentials (account, n);

CREATE TABLE invitations (
    hash       BLOB    NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL, -- empty for the first administrator's
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE sessions (
    n          INTEGER PRIMARY KEY AUTOINCREMENT,
    hash       BLOB    NOT NULL UNIQUE,
    id         TEXT    NOT NULL UNIQUE,
    account    TEXT    NOT NULL REFERENCES accounts (id),
    address    TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    signed_by  TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
);
CREATE INDEX sessions_account ON sessions (account, n);

CREATE TABLE tokens (
    n            INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    version      INTEGER NOT NULL,
    hash         BLOB    NOT NULL UNIQUE,
    account      TEXT    NOT NULL REFERENCES accounts (id),
    name         TEXT    NOT NULL,
    roles        TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    revoked_at   INTEGER NOT NULL
);
CREATE INDEX tokens_account ON tokens (account, n);

CREATE TABLE ceremonies (
    hash       BLOB    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    data       BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX ceremonies_expiry ON ceremonies (expires_at);

-- +goose Down
DROP TABLE ceremonies;
DROP TABLE tokens;
DROP TABLE sessions;
DROP TABLE invitations;
DROP TABLE credentials;
DROP TABLE accounts;
