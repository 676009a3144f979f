#!/usr/bin/env bash
# `make bench`: speed and size on the embedded default, then on real servers of its own with their default
# durability; they are gone afterwards, whichever way it ends. Arguments go to walletctl bench.
#
# BENCH_SERVERS  which servers (tests/stack/stack knows them); empty: none, the embedded default alone
set -euo pipefail
cd "$(dirname "$0")/.."
servers=${BENCH_SERVERS-postgres redis-balances}
stack=$PWD/tests/stack/stack

status=0
target/release/walletctl bench "$@" || status=$?
[ "$status" = 0 ] && [ -n "$servers" ] || exit "$status"

# In a place of its own: two runs on one machine do not meet, and nothing of another stack is touched.
STACK_DIR=$(mktemp -d /var/tmp/walletctl-bench.XXXXXX)
chmod 755 "$STACK_DIR"
export STACK_DIR DURABLE=1

finish() {
  status=$?
  trap '' INT TERM
  "$stack" remove || status=1
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Installs what is missing, or says what that is.
read -ra names <<<"$servers"
"$stack" up "${names[@]}" >&2
eval "$("$stack" env)"
target/release/walletctl bench --servers "$@"
