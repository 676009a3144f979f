#!/usr/bin/env python3
"""Recompute the chain of an audit trail from its stored bytes, with nothing of walletd's.

    verify-chain.py LEDGER_ID < lines

Each line is one record, in order: its number, its hash in hexadecimal, its bytes in base64. How to get such lines
out of MongoDB is in daemon/docs/servers.md. The first hash is SHA-256(SHA-256(ledger id) || bytes), each other
one SHA-256(the hash before || bytes). Ends with 0 if every record follows, with 1 at the first that does not.
"""

import base64
import hashlib
import json
import sys


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    seq, chain = 0, hashlib.sha256(sys.argv[1].encode()).digest()
    for line in sys.stdin:
        try:
            number, digest, text = line.split()
            number, digest, record = int(number), bytes.fromhex(digest), base64.b64decode(text, validate=True)
        except ValueError as error:
            print(f"behind record {seq}: not a line of number, hash and bytes: {error}")
            return 1
        if number != seq + 1:
            print(f"record {seq + 1} is missing: record {number} comes behind record {seq}")
            return 1
        if hashlib.sha256(chain + record).digest() != digest:
            print(f"record {number} does not follow record {seq}: its hash is not that of its bytes behind the one before")
            return 1
        if json.loads(record).get("seq") != number:
            print(f"record {number} is stored under a number that its bytes do not say")
            return 1
        seq, chain = number, digest
    print(f"{seq} records follow each other; the last hash is {chain.hex()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
