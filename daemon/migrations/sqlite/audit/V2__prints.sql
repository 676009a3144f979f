-- Which blocks of 64 records may hold something (a wallet, an actor, a kind, a request): a Bloom filter of 4,096 bits a
-- block, in which each name sets five. A row is written at the end of the table, once or a few times while its block
-- fills. Blocks from before are found by the rows of marks, to which nothing is added any more.
CREATE TABLE prints (
    block INTEGER NOT NULL,
    bits  BLOB    NOT NULL,
    CONSTRAINT prints_pk PRIMARY KEY (block),
    CONSTRAINT prints_bits_are_512_bytes CHECK (length(bits) = 512)
) STRICT;
