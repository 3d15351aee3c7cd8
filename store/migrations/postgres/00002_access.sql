-- +goose Up
-- Who may sign in, and with what. Secrets that the house handed out are here as hashes only; the data of
-- authenticator apps and ceremonies is sealed under a key that is not in the database.

CREATE TABLE accounts (
    n           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    version     BIGINT  NOT NULL,
    name        TEXT    NOT NULL,
    email       TEXT    NOT NULL UNIQUE,
    roles       TEXT    NOT NULL, -- names with a blank before, between and after them
    language    TEXT    NOT NULL,
    created_at  BIGINT  NOT NULL,
    ready_at    BIGINT  NOT NULL,
    disabled_at BIGINT  NOT NULL
);

CREATE TABLE credentials (
    n            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    version      BIGINT  NOT NULL,
    account      TEXT    NOT NULL REFERENCES accounts (id),
    kind         TEXT    NOT NULL CHECK (kind IN ('password', 'totp', 'passkey', 'recovery')),
    name         TEXT    NOT NULL,
    data         BYTEA   NOT NULL,
    counter      BIGINT  NOT NULL,
    created_at   BIGINT  NOT NULL,
    last_used_at BIGINT  NOT NULL
);
CREATE INDEX credentials_account ON credentials (account, n);

CREATE TABLE invitations (
    hash       BYTEA   NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL, -- empty for the first administrator's
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL,
    used_at    BIGINT  NOT NULL
);

CREATE TABLE sessions (
    n          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash       BYTEA   NOT NULL UNIQUE,
    id         TEXT    NOT NULL UNIQUE,
    account    TEXT    NOT NULL REFERENCES accounts (id),
    address    TEXT    NOT NULL,
    agent      TEXT    NOT NULL,
    signed_by  TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    seen_at    BIGINT  NOT NULL
);
CREATE INDEX sessions_account ON sessions (account, n);

CREATE TABLE tokens (
    n            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    version      BIGINT  NOT NULL,
    hash         BYTEA   NOT NULL UNIQUE,
    account      TEXT    NOT NULL REFERENCES accounts (id),
    name         TEXT    NOT NULL,
    roles        TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    last_used_at BIGINT  NOT NULL,
    revoked_at   BIGINT  NOT NULL
);
CREATE INDEX tokens_account ON tokens (account, n);

CREATE TABLE ceremonies (
    hash       BYTEA   NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL,
    account    TEXT    NOT NULL,
    data       BYTEA   NOT NULL,
    expires_at BIGINT  NOT NULL
);
CREATE INDEX ceremonies_expiry ON ceremonies (expires_at);

-- +goose Down
DROP TABLE ceremonies;
DROP TABLE tokens;
DROP TABLE sessions;
DROP TABLE invitations;
DROP TABLE credentials;
DROP TABLE accounts;
