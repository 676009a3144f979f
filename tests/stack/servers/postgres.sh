# The ledger's server: PostgreSQL from Debian.

postgres_bin() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }

postgres_packages() { [ -x "$(postgres_bin)/initdb" ] || echo postgresql; }
postgres_install() { :; }

postgres_version() { "$(postgres_bin)/postgres" --version | sed 's/.*) \([0-9.]*\).*/\1/'; }

postgres_init() {
  local data=$DATA/postgres password=$RUN/postgres.password
  if [ ! -f "$data/PG_VERSION" ]; then
    if [ "$(id -u)" = 0 ]; then install -d -o postgres -g postgres -m 700 "$data"; else install -d -m 700 "$data"; fi
    echo wallet >"$password"
    as_user postgres "$(postgres_bin)/initdb" -D "$data" -U wallet --pwfile "$password" --auth-local=trust \
      --auth-host=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$LOGS/postgres-init.log" 2>&1
    echo "include 'stack.conf'" >>"$data/postgresql.conf"
  fi
  local shared_buffers=64MB
  # As docker-compose.yml has it.
  [ "${DURABLE:-}" != 1 ] || shared_buffers=512MB
  cat >"$data/stack.conf" <<C
listen_addresses = '127.0.0.1'
port = $(port postgres)
unix_socket_directories = '$RUN'
shared_buffers = $shared_buffers
max_connections = 300
timezone = 'UTC'
ssl = on
ssl_cert_file = 'server.pem'
ssl_key_file = 'server.key'
C
  # It reads its key only as its own.
  cp "$TLS/server.pem" "$TLS/server.key" "$data/"
  [ "$(id -u)" != 0 ] || chown postgres "$data/server.pem" "$data/server.key"
  chmod 600 "$data/server.key"
  [ "${DURABLE:-}" = 1 ] || printf '%s = off\n' fsync synchronous_commit full_page_writes >>"$data/stack.conf"
}

# Whether nothing of a killed server is left: its sessions end by themselves a moment later.
postgres_vacated() {
  local pid
  for pid in $(pgrep -x postgres); do
    [ "$(readlink "/proc/$pid/cwd")" != "$DATA/postgres" ] || return 1
  done
}

postgres_start() {
  # A killed server leaves its lock file, and a process that nobody waited for keeps it valid.
  if [ -e "$DATA/postgres/postmaster.pid" ]; then
    wait_for 10 postgres_vacated || fail "a server that is not ours runs on $DATA/postgres"
    rm -f "$DATA/postgres/postmaster.pid" "$RUN"/.s.PGSQL.*
  fi
  as_user postgres "$(postgres_bin)/pg_ctl" -D "$DATA/postgres" -W -s -l "$LOGS/postgres.log" start
  wait_for 10 test -s "$DATA/postgres/postmaster.pid"
  save_pid postgres "$(head -n 1 "$DATA/postgres/postmaster.pid")"
}

postgres_sql() { "$(postgres_bin)/psql" -X -q -h "$RUN" -p "$(port postgres)" -U wallet -d postgres -Atc "$1"; }

postgres_ready() { "$(postgres_bin)/pg_isready" -q -U wallet -d postgres -h "$RUN" -p "$(port postgres)"; }

postgres_after() {
  [ "$(postgres_sql "SELECT 1 FROM pg_database WHERE datname = 'wallet'")" = 1 ] || postgres_sql 'CREATE DATABASE wallet'
}

# Fast: sessions are ended, the data is written.
postgres_stop() { end postgres INT; }

postgres_env() {
  echo "WALLETD_LEDGER_URL=postgres://wallet:wallet@127.0.0.1:$(port postgres)/wallet"
  echo "STACK_TLS_LEDGER_URL=postgres://wallet:wallet@127.0.0.1:$(port postgres)"
}
