-- The ledger: one clock row, the journal, and what follows from it.
--
-- Plain tables only: no triggers, no stored procedures. Times are microseconds since 1970 (UTC), money is NUMERIC at its
-- asset's scale, ids compare as bytes. What an auditor can ask of it:
--   per asset, all balances sum to zero:       SELECT asset, sum(balance) FROM accounts GROUP BY asset
--   a balance is the sum of its entries:       SELECT a.id FROM accounts a LEFT JOIN entries e ON e.account = a.number
--                                              WHERE a.owner IS NOT NULL GROUP BY a.id HAVING a.balance <> coalesce(sum(e.amount), 0)
--   the chain: hash = sha256(previous hash || bytes), the first previous hash being sha256(ledger_id)

-- One row. Whoever holds its lock is the ledger's only writer.
CREATE TABLE clock (
    one         smallint NOT NULL CONSTRAINT clock_pkey PRIMARY KEY CONSTRAINT clock_is_one_row CHECK (one = 1),
    ledger_id   text     NOT NULL,
    epoch       bigint   NOT NULL,
    seq         bigint   NOT NULL,
    recorded_at bigint   NOT NULL,
    hash        bytea    NOT NULL
) WITH (fillfactor = 10);

CREATE TABLE journal (
    seq         bigint   NOT NULL CONSTRAINT journal_pkey PRIMARY KEY,
    epoch       bigint   NOT NULL,
    recorded_at bigint   NOT NULL,
    -- The first 16 bytes of SHA-256 over scope, NUL, key; the key itself is in the record.
    key         uuid     CONSTRAINT journal_key_once UNIQUE,
    hash        bytea    NOT NULL,
    bytes       bytea    NOT NULL,
    trace       text
);

CREATE TABLE accounts (
    -- A wallet's id, or @external:ASSET.
    id          text COLLATE "C" NOT NULL CONSTRAINT accounts_pkey PRIMARY KEY,
    -- The record that opened the wallet; 0 for @external.
    number      bigint   NOT NULL,
    owner       text,
    asset       text     NOT NULL,
    scale       smallint NOT NULL,
    status      text     NOT NULL CONSTRAINT accounts_status CHECK (status IN ('active', 'frozen', 'closed')),
    -- The lowest balance a debit may leave; NULL for none.
    floor       numeric,
    balance     numeric  NOT NULL,
    version     bigint   NOT NULL,
    opened_at   bigint   NOT NULL,
    -- The last record that touched it.
    seq         bigint   NOT NULL,
    -- The ends of its runs: what the next entry is dealt by. Follows from its entries.
    runs        bytea    NOT NULL
) WITH (fillfactor = 70);

-- A wallet's legs. In a run effective_at never falls as seq grows, so one look-up by time and one by seq find the balance
-- of any moment as known at any cut; run 64 is the overflow, which is summed.
CREATE TABLE entries (
    account       bigint   NOT NULL,
    effective_at  bigint   NOT NULL,
    seq           bigint   NOT NULL,
    version       bigint   NOT NULL,
    run           smallint NOT NULL,
    amount        numeric  NOT NULL,
    balance_after numeric  NOT NULL,
    run_after     numeric  NOT NULL,
    CONSTRAINT entries_pkey PRIMARY KEY (account, run, effective_at, seq) INCLUDE (run_after)
);
CREATE INDEX entries_by_seq ON entries (account, run, seq);

CREATE TABLE reversals (
    -- The transaction undone, and the one that undid it.
    seq      bigint NOT NULL CONSTRAINT reversals_pkey PRIMARY KEY,
    epoch    bigint NOT NULL,
    by_seq   bigint NOT NULL,
    by_epoch bigint NOT NULL
);

-- What was answered to batch requests that came with a key of their own.
CREATE TABLE answers (
    key    uuid  NOT NULL CONSTRAINT answers_pkey PRIMARY KEY,
    name   text  NOT NULL,
    answer bytea NOT NULL
);

-- Assets beyond the built-in ones.
CREATE TABLE assets (
    code  text COLLATE "C" NOT NULL CONSTRAINT assets_pkey PRIMARY KEY,
    scale smallint NOT NULL,
    seq   bigint   NOT NULL
);

-- Who leads what; the fence grows with every change of holder.
CREATE TABLE leases (
    name   text COLLATE "C" NOT NULL CONSTRAINT leases_pkey PRIMARY KEY,
    holder text        NOT NULL,
    fence  bigint      NOT NULL,
    until  timestamptz NOT NULL
);
