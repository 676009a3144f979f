#!/usr/bin/env bash
# Writes completions/ and man/ from the clap tree, and the sample's files. Tests fail when they are stale.
set -euo pipefail
cd "$(dirname "$0")/.."
walletctl=target/debug/walletctl

mkdir -p completions man
"$walletctl" completion bash > completions/walletctl.bash
"$walletctl" completion zsh > completions/_walletctl
"$walletctl" completion fish > completions/walletctl.fish
rm -f man/*.1
"$walletctl" man --out man

target/debug/sample tests/sample
