-- The audit trail: the journal's very bytes with their chain hashes, apart from the ledger.

CREATE TABLE records (
    seq         INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    hash        BLOB    NOT NULL,
    bytes       BLOB    NOT NULL,
    trace       TEXT,
    CONSTRAINT records_pk PRIMARY KEY (seq),
    CONSTRAINT records_hash_is_sha256 CHECK (length(hash) = 32)
) STRICT;

-- In which blocks of 64 records something occurs (a wallet, an actor, a kind, a request; mark is 64 bits of the
-- SHA-256 of its name). chunk (32,768 records) comes first so that new rows meet in one small
-- part of the tree, however many wallets there are; readers go chunk by chunk and check what they find.
CREATE TABLE marks (
    chunk INTEGER NOT NULL,
    mark  INTEGER NOT NULL,
    block INTEGER NOT NULL,
    CONSTRAINT marks_pk PRIMARY KEY (chunk, mark, block)
) STRICT, WITHOUT ROWID;

-- For people with an SQLite shell.
CREATE VIEW trail AS
SELECT seq,
       json_extract(CAST(bytes AS TEXT), '$.recorded_at') AS recorded_at,
       json_extract(CAST(bytes AS TEXT), '$.kind')        AS kind,
       json_extract(CAST(bytes AS TEXT), '$.actor')       AS actor,
       json_extract(CAST(bytes AS TEXT), '$.request_id')  AS request_id,
       lower(hex(hash))                                   AS hash,
       CAST(bytes AS TEXT)                                AS record
FROM records;
