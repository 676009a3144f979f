-- Wallets: owners, labels, metadata and copies of what the ledger says about status and limit.
-- Ids and words compare as bytes (ascii_bin); times are microseconds since 1970 in UTC.
-- MySQL commits each statement of a definition by itself: every one here can be run again.

CREATE TABLE IF NOT EXISTS wallets (
    id        VARCHAR(64)   CHARACTER SET ascii   COLLATE ascii_bin   NOT NULL,
    owner     VARCHAR(64)   CHARACTER SET ascii   COLLATE ascii_bin   NOT NULL,
    asset     VARCHAR(12)   CHARACTER SET ascii   COLLATE ascii_bin   NOT NULL,
    state     VARCHAR(10)   CHARACTER SET ascii   COLLATE ascii_bin   NOT NULL,
    overdraft VARCHAR(40)   CHARACTER SET ascii   COLLATE ascii_bin   NOT NULL,
    opened_at BIGINT                                                  NOT NULL,
    label     VARCHAR(200)  CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    -- A JSON object of strings: at most 4,096 bytes of names and values, which escapes may double.
    meta      VARCHAR(8500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    seq       BIGINT                                                  NOT NULL,
    PRIMARY KEY (id),
    KEY wallets_by_owner (owner, id),
    -- What the reconciler looks for are the few that are opening.
    KEY wallets_by_state (state, id),
    CONSTRAINT wallets_state_known CHECK (state IN ('opening', 'active', 'frozen', 'closed')),
    CONSTRAINT wallets_opening_has_no_record CHECK ((state = 'opening') = (seq = 0)),
    CONSTRAINT wallets_seq_not_negative CHECK (seq >= 0),
    CONSTRAINT wallets_meta_is_json CHECK (json_valid(meta))
) ENGINE = InnoDB;

-- How far the journal has taken effect here; one row.
CREATE TABLE IF NOT EXISTS follower (
    one      TINYINT NOT NULL,
    position BIGINT  NOT NULL,
    PRIMARY KEY (one),
    CONSTRAINT follower_has_one_row CHECK (one = 1),
    CONSTRAINT follower_position_not_negative CHECK (position >= 0)
) ENGINE = InnoDB;

INSERT INTO follower (one, position) VALUES (1, 0) ON DUPLICATE KEY UPDATE one = 1;
