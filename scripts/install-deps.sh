#!/usr/bin/env bash
# Checks what `make demo` (build) or `make test` (test) needs on Debian 12, installs it where root or
# sudo is there, and otherwise says exactly what is missing. Nothing is touched when nothing is missing.
# For `make test` that includes what the real servers need (tests/stack/stack packages).
set -euo pipefail
cd "$(dirname "$0")/.."

what=${1:-build}
missing=()

# need PROGRAM PACKAGE: the package, unless the program is there.
need() {
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}

# need_header FILE PACKAGE: the package, unless one of the compiler's folders has the file.
need_header() {
  [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ] || missing+=("$2")
}

need cc build-essential
need c++ build-essential # librdkafka is built from its source
need_header zlib.h zlib1g-dev
need_header openssl/ssl.h libssl-dev
need pkg-config pkg-config
need make build-essential
if [ "$what" = test ]; then
  need hledger hledger   # an independent program reads the exported journal
  need ledger ledger     # and a second one
  need strace strace     # sees the ledger's fsync between request and answer
  need sqlite3 sqlite3   # brings the audit file up to date before a byte of it is changed
  need faketime faketime # sets the clock under a running daemon
  need python3 python3   # the browser of the tests' people
  need openssl openssl   # keys and certificates
  need dbus-run-session dbus                # a desktop's session for one test,
  need gnome-keyring-daemon gnome-keyring   # and the keyring in it
fi
export PATH="$PATH:$HOME/.cargo/bin"
rust=yes
command -v cargo >/dev/null 2>&1 || rust=no
if [ "$rust" = no ] && ! command -v curl >/dev/null 2>&1; then
  missing+=(curl ca-certificates)
fi

# Runs a command as root, where that is possible without a question.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

if [ ${#missing[@]} -gt 0 ]; then
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "missing: ${missing[*]} (Debian's names). This machine has no apt-get: install them by its own means." >&2
    exit 1
  fi
  if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    echo "missing: ${missing[*]}. As root: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  echo "installing: ${missing[*]}" >&2
  export DEBIAN_FRONTEND=noninteractive
  install=(apt-get install -y -qq --no-install-recommends "${missing[@]}")
  # Package lists may be absent or old: fetch them only when the first try fails.
  if ! as_root "${install[@]}" >/dev/null 2>&1; then
    as_root apt-get update -qq
    as_root "${install[@]}" >/dev/null
  fi
fi

if [ "$rust" = no ]; then
  toolchain=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
  echo "installing: Rust $toolchain by rustup, for this user" >&2
  if ! curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs |
    sh -s -- -y -q --profile minimal --component clippy,rustfmt --default-toolchain "$toolchain" --no-modify-path; then
    echo "missing: Rust $toolchain, and rustup could not install it. See https://rustup.rs" >&2
    exit 1
  fi
fi

if ! cargo --version >/dev/null 2>&1; then
  echo "missing: the toolchain of rust-toolchain.toml. Run: rustup toolchain install" >&2
  exit 1
fi

if [ "$what" = test ]; then
  tests/stack/stack packages all
  tests/stack/schemathesis/schemathesis install
fi
