# The same commands where a container engine answers: docker-compose.yml's own servers, without walletd,
# under a project name, ports and secrets of this stack. Sourced by stack; it takes the place of the
# functions that start and stop native servers. A compose server always has its default durability.

compose() {
  docker compose --project-name "$(project)" --project-directory "$HERE/../.." --env-file "$DIR/compose.env" \
    --file "$HERE/../../docker-compose.yml" --file "$HERE/compose.yml" "$@"
}

# A server's name there: its Keycloak is the shipped one, the one with the test realm is a service besides.
service() {
  case $1 in
    keycloak) echo keycloak-test ;;
    keycloak-shipped) echo keycloak ;;
    *) echo "$1" ;;
  esac
}

# A stack's name, from its folder: letters and digits.
project() { echo "walletctl$(cksum <<<"$DIR" | cut -d' ' -f1)"; }

secret() { sed -n "s/^$1=//p" "$DIR/compose.env"; }

# The secrets are made once; the ports are this stack's.
compose_env() {
  local name
  [ -f "$DIR/compose.env" ] || "$HERE/../../scripts/env.sh" "$DIR/compose.env" >/dev/null
  for name in postgres mysql redis-balances redis-limits mongo kafka keycloak-shipped jaeger-query jaeger gateway; do
    local variable=${name^^}
    variable=${variable//-/_}
    case $name in
      jaeger) variable=JAEGER_OTLP ;;
      jaeger-query) variable=JAEGER ;;
      keycloak-shipped) variable=KEYCLOAK ;;
    esac
    sed -i "s/^${variable}_PORT=.*/${variable}_PORT=$(port "$name")/" "$DIR/compose.env"
  done
  sed -i "s|^PUBLIC_URL=.*|PUBLIC_URL=$(gateway_url)|" "$DIR/compose.env"
  grep -q '^KEYCLOAK_TEST_PORT=' "$DIR/compose.env" || echo "KEYCLOAK_TEST_PORT=$(port keycloak)" >>"$DIR/compose.env"
}

install_packages() { :; }
install_servers() {
  local name
  for name in "$@"; do compose pull --quiet "$(service "$name")"; done
}

begin() {
  touch "$RUN/$1.member"
  # The gateway's certificate: it is a test's walletd in any case.
  [ "$1" != keycloak-shipped ] || make_certificates || return 1
  compose up --detach --no-deps "$(service "$1")" >/dev/null 2>&1
}

container() { compose ps --all --quiet "$(service "$1")" 2>/dev/null; }
field() { docker inspect --format "{{$2}}" "$(container "$1")" 2>/dev/null; }

alive() { [ "$(field "$1" .State.Running)" = true ]; }
pid_of() { alive "$1" && field "$1" .State.Pid; }
decided() { gone "$1" || healthy "$1"; }
healthy() { [ "$(field "$1" .State.Health.Status)" = healthy ]; }

complete() {
  wait_for $((PATIENCE * 3)) decided "$1"
  healthy "$1" && return 0
  echo "stack: $1 does not answer; the end of its log:" >&2
  compose logs --tail 20 "$(service "$1")" >&2
  return 1
}

end() {
  [ -z "$(container "$1")" ] || compose stop --timeout 20 "$(service "$1")" >/dev/null 2>&1
}

define() {
  local name
  for name in "${KNOWN[@]}"; do
    eval "${name}_ready() { healthy $name; }"
    eval "${name}_version() { field $name .Config.Image | sed 's/.*://'; }"
    eval "${name}_stop() { end $name; }"
  done
}

# Tests make databases and drop collections, so they come as administrators.
postgres_env() { echo "WALLETD_LEDGER_URL=postgres://walletd:$(secret POSTGRES_PASSWORD)@127.0.0.1:$(port postgres)/wallet"; }
mysql_env() { echo "WALLETD_WALLETS_URL=mysql://root:$(secret MYSQL_ROOT_PASSWORD)@127.0.0.1:$(port mysql)/wallet"; }
mongo_env() {
  echo "WALLETD_AUDIT_URL=mongodb://root:$(secret MONGO_ROOT_PASSWORD)@127.0.0.1:$(port mongo)/wallet?authSource=admin"
}
redis-balances_env() {
  echo "WALLETD_BALANCES_URL=redis://:$(secret REDIS_BALANCES_PASSWORD)@127.0.0.1:$(port redis-balances)/0"
}
redis-limits_env() { echo "WALLETD_LIMITS_URL=redis://:$(secret REDIS_LIMITS_PASSWORD)@127.0.0.1:$(port redis-limits)/0"; }
keycloak-shipped_env() {
  gateway_env "http://127.0.0.1:$(port keycloak-shipped)" "$(secret KEYCLOAK_CRON_JOB_SECRET)" "$(secret KEYCLOAK_ADMIN_PASSWORD)"
}

compose_kill() { compose kill --signal KILL "$(service "$1")" >/dev/null 2>&1; }
compose_remove() { compose down --volumes --remove-orphans >/dev/null 2>&1; }
