#!/usr/bin/env bash
# A short story with real output: the two built programs, the embedded default, the sample in
# tests/sample. Everything lives in one temporary directory; nothing runs and nothing is left after it.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=$PWD/${PROGRAMS_DIR:-target/debug}
sample=$PWD/tests/sample

room=$(mktemp -d)
daemon=
finish() {
  status=$?
  if [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; then
    kill "$daemon"
    wait "$daemon" || true
  fi
  if [ "$status" != 0 ]; then
    echo "the demo failed; the daemon's log:" >&2
    tail -n 20 "$room/walletd.log" >&2 2>/dev/null || true
  fi
  rm -rf "$room"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# A home of its own: the caller's configuration, contexts and wallets stay out of it.
unset "${!WALLET@}"
export HOME=$room XDG_STATE_HOME=$room/state XDG_CONFIG_HOME=$room/config XDG_CACHE_HOME=$room/cache
export PATH=$programs:$PATH COLUMNS=${COLUMNS:-110}
cd "$room"
cp "$sample/wallets.csv" "$sample/batch.csv" .

say() { printf '\n# %s\n' "$*"; }
# show COMMAND...: prints a command and runs it. EXPECT=N: the exit code it must have.
show() {
  printf '$ %s\n' "$*"
  local code=0
  "$@" || code=$?
  if [ "$code" != "${EXPECT:-0}" ]; then
    echo "exit code $code, expected ${EXPECT:-0}" >&2
    return 1
  fi
  if [ "$code" != 0 ]; then printf '(exit code %s)\n' "$code"; fi
}

say "No server, no configuration: walletd serves on a socket in the state directory."
walletd serve > walletd.log 2>&1 &
daemon=$!
for _ in $(seq 200); do
  [ -S "$XDG_STATE_HOME/walletd/walletd.sock" ] && walletctl daemon status >/dev/null 2>&1 && break
  kill -0 "$daemon" 2>/dev/null || exit 1
  sleep 0.05
done
show walletctl daemon status

say "A wallet, and money in it."
show walletctl wallet create w_ana --owner ana --asset EUR --label "Ana's wallet" --idempotency-key open-ana --yes
show walletctl deposit --to w_ana --amount 100.00 --asset EUR --idempotency-key first --yes

say "The same key again moves nothing; the answer is the first one."
show walletctl deposit --to w_ana --amount 100.00 --asset EUR --idempotency-key first --yes
say "The same key for something else is a conflict that names the field."
EXPECT=7 show walletctl deposit --to w_ana --amount 10.00 --asset EUR --idempotency-key first --yes

say "38 wallets in two currencies, then 2,000 rows: a year and a half of payments, some late, some not covered."
show walletctl wallet import wallets.csv --yes
EXPECT=8 show walletctl batch run batch.csv --yes

say "What a wallet held at two dates, and today."
show walletctl balance w_06 --at 2024-06-30
show walletctl balance w_06 --at 2025-01-31 --tz Europe/Lisbon
show walletctl balance w_06

say "Its half year, month by month; then the last days of it as a statement."
show walletctl balance w_06 --from 2025-01-01 --to 2025-06-30 --every month
show walletctl statement w_06 --from 2025-06-01 --to 2025-06-30

say "Everything for another program: a file with a manifest, checked."
show walletctl export transactions --format hledger --out journal.hledger
show walletctl export verify journal.hledger
if command -v hledger >/dev/null; then
  show hledger -f journal.hledger balance w_06 --end 2025-02-01
fi

say "Every record's hash, every balance, and the audit trail against the ledger."
show walletctl audit verify

say "The daemon stops when told to, and nothing is left behind."
kill "$daemon"
wait "$daemon"
daemon=
show tail -n 1 walletd.log
