# make            what there is
# make demo       a short story with real output, on the embedded default; leaves nothing running
# make test       everything, whole-system tests on real servers included (tests/stack, started and stopped here)
# make check      the fast inner loop: format, lints as errors, tests without the whole-system ones
# make bench      speed and size, beside their raw limits (release build); embedded, then on PostgreSQL and Redis
# make env        .env for docker-compose.yml: ports, and secrets made for this machine

CARGO ?= cargo
PREFIX ?= /usr/local
PROGRAMS := target/debug/walletctl target/debug/walletd
export CARGO_TERM_COLOR ?= auto
# rustup puts cargo here; a shell that has not been restarted since does not know yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

.DEFAULT_GOAL := help
.PHONY: help deps deps-test programs demo test env check fmt bench release install generate clean

help:
	@sed -n 's/^# //p' Makefile | head -6

deps:
	@scripts/install-deps.sh build

deps-test:
	@scripts/install-deps.sh test

programs: deps
	$(CARGO) build --locked --workspace --bins

demo: programs
	@scripts/demo.sh

# One profile for the programs and their tests, so that dependencies are built once.
test: deps-test
	@CARGO="$(CARGO)" scripts/test.sh

env:
	@scripts/env.sh

check: deps
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) test --locked --workspace --exclude wallet-tests
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny check; else echo "cargo-deny is not installed: licences and advisories not checked"; fi

fmt:
	$(CARGO) fmt --all

release: deps
	$(CARGO) build --locked --release --workspace --bins

bench: release
	@scripts/bench.sh $(BENCH)

install: release
	install -D -m 755 target/release/walletctl $(DESTDIR)$(PREFIX)/bin/walletctl
	install -D -m 755 target/release/walletd $(DESTDIR)$(PREFIX)/bin/walletd
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 man/*.1 $(DESTDIR)$(PREFIX)/share/man/man1/
	install -D -m 644 completions/walletctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/walletctl
	install -D -m 644 completions/_walletctl $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_walletctl
	install -D -m 644 completions/walletctl.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/walletctl.fish

# Completions and man pages from the clap tree, and the sample's files from its generator.
generate: programs
	scripts/generate.sh

clean:
	$(CARGO) clean
