-- +goose Up
-- Instants are microseconds since 1970 UTC, 0 for none. Rows are numbered as they come (n), so that "newest first" and
-- paging need no sorting; what people and programs name them by is unique beside it.

CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- What each node's last transaction was: after a COMMIT without an answer this tells whether it was stored.
CREATE TABLE writers (
    node  TEXT    NOT NULL PRIMARY KEY,
    batch BIGINT  NOT NULL,
    at    BIGINT  NOT NULL
);

CREATE TABLE audit_entries (
    seq        BIGINT  PRIMARY KEY,
    at         BIGINT  NOT NULL,
    actor_kind TEXT    NOT NULL,
    actor_id   TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    prev       BYTEA   NOT NULL,
    hash       BYTEA   NOT NULL
);
CREATE INDEX audit_entries_subject ON audit_entries (subject, seq);

CREATE TABLE audit_head (
    one  BIGINT PRIMARY KEY CHECK (one = 1),
    seq  BIGINT  NOT NULL,
    hash BYTEA   NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, decode(repeat('00', 32), 'hex'));

CREATE TABLE orders (
    n            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    version      BIGINT  NOT NULL,
    state        TEXT    NOT NULL,
    mailbox      TEXT    NOT NULL,
    profile      TEXT    NOT NULL,
    language     TEXT    NOT NULL,
    agreement    TEXT    NOT NULL,
    by_kind      TEXT    NOT NULL,
    by_id        TEXT    NOT NULL,
    request      BYTEA   NOT NULL,
    renews       TEXT    NOT NULL,
    serial       TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    approved_at  BIGINT  NOT NULL,
    delivered_at BIGINT  NOT NULL,
    deadline     BIGINT  NOT NULL, -- as Order.Deadline gives it for this row, so that expired orders can be counted
    reasons      TEXT    NOT NULL
);
CREATE INDEX orders_mailbox ON orders (mailbox, n);
CREATE INDEX orders_state ON orders (state, n, deadline);

CREATE TABLE links (
    hash       BYTEA   NOT NULL PRIMARY KEY,
    order_id   TEXT    NOT NULL,
    purpose    TEXT    NOT NULL,
    mail       TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL,
    used_at    BIGINT  NOT NULL
);

CREATE TABLE evidence (
    id     TEXT    NOT NULL PRIMARY KEY,
    kind   TEXT    NOT NULL,
    value  TEXT    NOT NULL,
    method TEXT    NOT NULL,
    rule   TEXT    NOT NULL,
    at     BIGINT  NOT NULL,
    origin TEXT    NOT NULL,
    detail TEXT    NOT NULL
);
CREATE INDEX evidence_claim ON evidence (kind, value, at);

-- A certificate's row is born as its intent: one serial number, one row, whatever becomes of it.
CREATE TABLE certificates (
    n           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    serial      TEXT    NOT NULL UNIQUE,
    issuer      TEXT    NOT NULL,
    order_id    TEXT    NOT NULL,
    profile     TEXT    NOT NULL,
    mailbox     TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'done', 'abandoned')),
    key_kept    BOOLEAN NOT NULL,
    intended_at BIGINT  NOT NULL,
    tbs         BYTEA   NOT NULL,
    der         BYTEA   NOT NULL,
    sha256      BYTEA   NOT NULL,
    spki        BYTEA   NOT NULL,
    not_before  BIGINT  NOT NULL,
    not_after   BIGINT  NOT NULL,
    issued_at   BIGINT  NOT NULL,
    revoked_at  BIGINT  NOT NULL
);
CREATE INDEX certificates_open   ON certificates (n) WHERE state = 'open';
CREATE INDEX certificates_house  ON certificates (n) WHERE state = 'done' AND order_id = '';
CREATE INDEX certificates_order  ON certificates (order_id) WHERE order_id <> '';
CREATE INDEX certificates_sha256 ON certificates (sha256) WHERE state = 'done';
CREATE INDEX certificates_ending ON certificates (not_after, n) WHERE state = 'done' AND order_id <> '' AND revoked_at = 0;
CREATE INDEX certificates_issued ON certificates (issued_at) WHERE state = 'done' AND order_id <> '';
CREATE INDEX certificates_revoked ON certificates (revoked_at, not_after) WHERE state = 'done' AND order_id <> '' AND revoked_at > 0;

CREATE TABLE revocations (
    issuer    TEXT    NOT NULL,
    n         BIGINT  NOT NULL,
    serial    TEXT    NOT NULL,
    at        BIGINT  NOT NULL,
    reason    BIGINT  NOT NULL,
    actor     TEXT    NOT NULL,
    not_after BIGINT  NOT NULL,
    PRIMARY KEY (issuer, n),
    UNIQUE (serial)
);

-- The SHA-256 of every subscriber key that was said to be compromised; none of them is certified again.
CREATE TABLE compromised_keys (
    spki BYTEA NOT NULL PRIMARY KEY
);

CREATE TABLE crls (
    issuer      TEXT    NOT NULL,
    number      BIGINT  NOT NULL,
    upto        BIGINT  NOT NULL,
    der         BYTEA   NOT NULL,
    this_update BIGINT  NOT NULL,
    next_update BIGINT  NOT NULL,
    PRIMARY KEY (issuer, number)
);

CREATE TABLE mails (
    n          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    kind       TEXT    NOT NULL,
    recipient  TEXT    NOT NULL,
    language   TEXT    NOT NULL,
    order_id   TEXT    NOT NULL,
    serial     TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    attempts   BIGINT  NOT NULL,
    last_error TEXT    NOT NULL,
    created_at BIGINT  NOT NULL,
    sent_at    BIGINT  NOT NULL
);
CREATE INDEX mails_state ON mails (state, n);
CREATE INDEX mails_order ON mails (order_id, n) WHERE order_id <> '';
CREATE INDEX mails_serial ON mails (serial, n) WHERE serial <> '';

-- +goose Down
DROP TABLE mails;
DROP TABLE crls;
DROP TABLE compromised_keys;
DROP TABLE revocations;
DROP TABLE certificates;
DROP TABLE evidence;
DROP TABLE links;
DROP TABLE orders;
DROP TABLE audit_head;
DROP TABLE audit_entries;
DROP TABLE writers;
DROP TABLE settings;
