-- Wallets: owners, labels, metadata and copies of what the ledger says about status and limit.
-- Text compares as bytes (BINARY is SQLite's default); times are microseconds since 1970 in UTC.

CREATE TABLE wallets (
    id        TEXT    NOT NULL COLLATE BINARY,
    owner     TEXT    NOT NULL COLLATE BINARY,
    asset     TEXT    NOT NULL COLLATE BINARY,
    state     TEXT    NOT NULL,
    overdraft TEXT    NOT NULL,
    opened_at INTEGER NOT NULL,
    label     TEXT    NOT NULL,
    meta      TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    CONSTRAINT wallets_pk PRIMARY KEY (id),
    CONSTRAINT wallets_state_known CHECK (state IN ('opening', 'active', 'frozen', 'closed')),
    CONSTRAINT wallets_opening_has_no_record CHECK ((state = 'opening') = (seq = 0)),
    CONSTRAINT wallets_seq_not_negative CHECK (seq >= 0),
    CONSTRAINT wallets_meta_is_json CHECK (json_valid(meta))
) STRICT, WITHOUT ROWID;

CREATE INDEX wallets_by_owner ON wallets (owner, id);

-- What the reconciler looks for: few rows, gone after a moment.
CREATE INDEX wallets_opening ON wallets (id) WHERE state = 'opening';

-- How far the journal has taken effect here; one row.
CREATE TABLE follower (
    one      INTEGER NOT NULL,
    position INTEGER NOT NULL,
    CONSTRAINT follower_pk PRIMARY KEY (one),
    CONSTRAINT follower_has_one_row CHECK (one = 1),
    CONSTRAINT follower_position_not_negative CHECK (position >= 0)
) STRICT;

INSERT INTO follower (one, position) VALUES (1, 0);
