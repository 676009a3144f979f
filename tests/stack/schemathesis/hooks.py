"""What schemathesis is told about this API: values that lead past the first check, and how to read lines of JSON.

API_KNOWN is JSON: wallets, owners, transactions and keys that are there, and a line of each answer that has lines. What is generated stays one time in four: nonsense
must be answered as documented too.
"""
import json
import os
import zlib

import schemathesis
# Loaded here, once: one of its libraries parses itself when it is loaded first, which two threads cannot do at a time.
import schemathesis.transport.asgi  # noqa: F401

KNOWN = json.loads(os.environ["API_KNOWN"])
TIMES = ["2026-01-31", "2026-01-31T23:59:59Z", "2026-02-01T00:00:00+01:00", "2020-01-01", "2999-01-01", "2026-03-29T02:30:00"]
WALLETS = KNOWN["wallets"]
# By the name of a parameter or a field.
REAL = {
    "wallet": WALLETS,
    "from": WALLETS,
    "to": WALLETS,
    "key": KNOWN["keys"],
    "asset": ["EUR", "EUR", "EUR", "JPY"],
    "amount": ["0.01", "1.00", "3", "0.001", "999999999", "0", "-1"],
    "overdraft": ["0", "10.00", "unlimited"],
    "owner": KNOWN["owners"],
    "opened_at": ["2026-01-01T00:00:00Z"],
    "effective_at": ["2026-06-01T00:00:00Z", "2019-01-01T00:00:00Z", "2999-01-01T00:00:00Z"],
    "at": TIMES,
    "known_at": ["2026-01-31T23:59:59Z", "2999-01-01T00:00:00Z"],
    "tz": ["UTC", "Europe/Lisbon", "Nowhere/Atall"],
    "every": ["hour", "day", "week", "month"],
    "limit": [1, 2, 50, 1000],
    "after": ["", "1", "w_1", "5"],
    "status": ["active", "frozen", "closed", "opening"],
    "kind": ["deposit", "withdrawal", "transfer", "reversal", "wallet_opened"],
    "format": ["csv", "ndjson"],
    "consistency": ["ledger", "cached"],
    "min_seq": [0, 1, 10**9],
    "seq": [1, 2, 10**6],
    "reason": ["because"],
    "label": ["Savings"],
    "memo": ["January"],
    "meta": [{}, {"invoice": "INV-1"}],
    "mode": ["continue", "stop", "atomic"],
    "scale": [0, 2, 8],
    "code": ["GOLD", "BTC2"],
    "store": ["balances", "audit", "wallets", "events"],
}
# In a query these are moments, in a body wallets.
MOMENTS = {"from": TIMES, "to": TIMES}


def chosen(name, value, values):
    """One of the values, or what was generated; the same for the same input."""
    hash = zlib.crc32(f"{name} {value!r}".encode())
    return value if hash % 4 == 0 or not values else values[hash // 4 % len(values)]


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    for name, value in (path_parameters or {}).items():
        values = REAL.get(name, [])
        if name == "id":
            values = KNOWN["transactions" if "/transactions/" in ctx.operation.path else "wallets"]
        path_parameters[name] = chosen(name, value, values)
    return path_parameters


@schemathesis.hook
def map_query(ctx, query):
    for name, value in (query or {}).items():
        query[name] = chosen(name, value, MOMENTS.get(name) or REAL.get(name, []))
    return query


@schemathesis.hook
def map_headers(ctx, headers):
    for name, value in (headers or {}).items():
        if name.lower() == "idempotency-key":
            headers[name] = chosen(name, value, [f"k-{zlib.crc32(repr(value).encode()) % 500}"])
    return headers


@schemathesis.hook
def map_body(ctx, body):
    return filled(body)


def filled(value):
    """A body with real values where their names say what they are."""
    if isinstance(value, list):
        return [filled(item) for item in value]
    if not isinstance(value, dict):
        return value
    known = {name: chosen(name, item, REAL.get(name, [])) for name, item in value.items()}
    return {name: filled(item) if isinstance(item, (dict, list)) else item for name, item in known.items()}


@schemathesis.deserializer("application/x-ndjson")
def lines(ctx, response):
    """The last line stands for all of them: each has the same schema. An answer without any is as good as one."""
    given = response.content.decode().splitlines()
    return json.loads(given[-1]) if given else KNOWN["lines"][ctx.operation.path]
