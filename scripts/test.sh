#!/usr/bin/env bash
# `make test`: real servers of its own, the programs, every test; then nothing is left running or lying
# about, whichever way it ends. The servers are installed and started while the programs are built.
# They keep their default durability: what the tests say about crashes is meant.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}
stack=$PWD/tests/stack/stack

# In a place of its own: two runs on one machine do not meet.
STACK_DIR=$(mktemp -d /var/tmp/walletctl-test.XXXXXX)
chmod 755 "$STACK_DIR"
export STACK_DIR DURABLE=1
log=$(mktemp)
starting=

finish() {
  status=$?
  trap '' INT TERM
  if [ -n "$starting" ]; then
    kill -TERM -- "-$starting" 2>/dev/null || true
    while kill -0 -- "-$starting" 2>/dev/null; do sleep 0.1; done
  fi
  "$stack" remove || status=1
  rm -f "$log"
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A session of its own, so that it can be ended with all it started.
setsid "$stack" up all >"$log" 2>&1 &
starting=$!

$cargo build --locked --workspace --bins
$cargo test --locked --workspace --no-run

status=0
wait "$starting" || status=$?
starting=
cat "$log"
if [ "$status" != 0 ]; then
  echo "the real servers are not there: nothing was tested" >&2
  exit 1
fi
eval "$("$stack" env)"
# What the adapters' own tests look for: servers, without a database.
export WALLETD_TEST_POSTGRES_URL=${WALLETD_LEDGER_URL%/*} WALLETD_TEST_MYSQL_URL=${WALLETD_WALLETS_URL%/*}
export WALLETD_TEST_MONGO_URL=${WALLETD_AUDIT_URL%/*} WALLETD_TEST_REDIS_URL=${WALLETD_BALANCES_URL%/*}
export WALLETD_TEST_KAFKA_URL=${WALLETD_EVENTS_URL%/*}
[ -z "${STACK_REDIS_CLUSTER_URL:-}" ] || export WALLETD_TEST_REDIS_CLUSTER_URL=$STACK_REDIS_CLUSTER_URL
# The tests fail without the servers named here, rather than skip what needs them.
export WALLET_STACK=$STACK_DIR
# All of them, whatever fails first.
$cargo test --locked --workspace --no-fail-fast
