-- +goose Up
-- Instants are microseconds since 1970 UTC, 0 for none. Rows are numbered as they come (n), so that "newest first" and
-- paging need no sorting; what people and programs name them by is unique beside it.

CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- What each node's last transaction was: after a COMMIT without an answer this tells whether it was stored.
CREATE TABLE writers (
    node  TEXT    NOT NULL PRIMARY KEY,
    batch INTEGER NOT NULL,
    at    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE audit_entries (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    actor_kind TEXT    NOT NULL,
    actor_id   TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    prev       BLOB    NOT NULL,
    hash       BLOB    NOT NULL
);
CREATE INDEX audit_entries_subject ON audit_entries (subject, seq);

CREATE TABLE audit_head (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    seq  INTEGER NOT NULL,
    hash BLOB    NOT NULL
);
INSERT INTO audit_head (one, seq, hash) VALUES (1, 0, zeroblob(32));

CREATE TABLE orders (
    n            INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    version      INTEGER NOT NULL,
    state        TEXT    NOT NULL,
    mailbox      TEXT    NOT NULL,
    profile      TEXT    NOT NULL,
    language     TEXT    NOT NULL,
    agreement    TEXT    NOT NULL,
    by_kind      TEXT    NOT NULL,
    by_id        TEXT    NOT NULL,
    request      BLOB    NOT NULL,
    renews       TEXT    NOT NULL,
    serial       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    approved_at  INTEGER NOT NULL,
    delivered_at INTEGER NOT NULL,
    deadline     INTEGER NOT NULL, -- as Order.Deadline gives it for this row, so that expired orders can be counted
    reasons      TEXT    NOT NULL
);
CREATE INDEX orders_mailbox ON orders (mailbox, n);
CREATE INDEX orders_state ON orders (state, n, deadline);

CREATE TABLE links (
    hash       BLOB    NOT NULL PRIMARY KEY,
    order_id   TEXT    NOT NULL,
    purpose    TEXT    NOT NULL,
    mail       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE evidence (
    id     TEXT    NOT NULL PRIMARY KEY,
    kind   TEXT    NOT NULL,
    value  TEXT    NOT NULL,
    method TEXT    NOT NULL,
    rule   TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    origin TEXT    NOT NULL,
    detail TEXT    NOT NULL
);
CREATE INDEX evidence_claim ON evidence (kind, value, at);

-- A certificate's row is born as its intent: one serial number, one row, whatever becomes of it.
CREATE TABLE certificates (
    n           INTEGER PRIMARY KEY,
    serial      TEXT    NOT NULL UNIQUE,
    issuer      TEXT    NOT NULL,
    order_id    TEXT    NOT NULL,
    profile     TEXT    NOT NULL,
    mailbox     TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'done', 'abandoned')),
    key_kept    BOOLEAN NOT NULL,
    intended_at INTEGER NOT NULL,
    tbs         BLOB    NOT NULL,
    der         BLOB    NOT NULL,
    sha256      BLOB    NOT NULL,
    spki        BLOB    NOT NULL,
    not_before  INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    issued_at   INTEGER NOT NULL,
    revoked_at  INTEGER NOT NULL
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
    n         INTEGER NOT NULL,
    serial    TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    reason    INTEGER NOT NULL,
    actor     TEXT    NOT NULL,
    not_after INTEGER NOT NULL,
    PRIMARY KEY (issuer, n),
    UNIQUE (serial)
) WITHOUT ROWID;

-- The SHA-256 of every subscriber key that was said to be compromised; none of them is certified again.
CREATE TABLE compromised_keys (
    spki BLOB NOT NULL PRIMARY KEY
) WITHOUT ROWID;

CREATE TABLE crls (
    issuer      TEXT    NOT NULL,
    number      INTEGER NOT NULL,
    upto        INTEGER NOT NULL,
    der         BLOB    NOT NULL,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL,
    PRIMARY KEY (issuer, number)
);

CREATE TABLE mails (
    n          INTEGER PRIMARY KEY,
    id         TEXT    NOT NULL UNIQUE,
    kind       TEXT    NOT NULL,
    recipient  TEXT    NOT NULL,
    language   TEXT    NOT NULL,
    order_id   TEXT    NOT NULL,
    serial     TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    attempts   INTEGER NOT NULL,
    last_error TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    sent_at    INTEGER NOT NULL
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
