# Two Redis servers from Debian: one that may evict holds balances, one that may not holds limits.

redis_packages() { have redis-server && have redis-cli || echo redis-server redis-tools; }
redis_version() { redis-server --version | sed 's/.* v=\([0-9.]*\).*/\1/'; }

# redis_launch NAME OPTION...: neither keeps anything on disk; both can be made anew. Every test takes
# a database number of its own.
redis_launch() {
  local name=$1
  shift
  mkdir -p "$DATA/$name"
  launch "$name" "$LOGS/$name.log" redis-server --bind 127.0.0.1 --port "$(port "$name")" --dir "$DATA/$name" \
    --save '' --appendonly no --daemonize no --databases 2048 "$@"
}

# redis_secured NAME OPTION...: encrypted as well, on a port of its own, with a user who has a password.
redis_secured() {
  redis_launch "$@" --tls-port "$(port "$1-tls")" --tls-cert-file "$TLS/server.pem" --tls-key-file "$TLS/server.key" \
    --tls-ca-cert-file "$TLS/ca.pem" --tls-auth-clients no --user secured on '>secured-pw' '~*' '&*' '+@all'
}

redis_answers() { [ "$(redis-cli -h 127.0.0.1 -p "$(port "$1")" ping 2>/dev/null)" = PONG ]; }

redis-balances_packages() { redis_packages; }
redis-balances_install() { :; }
redis-balances_version() { redis_version; }
redis-balances_init() { :; }
redis-balances_start() {
  redis_secured redis-balances --maxmemory "${STACK_REDIS_MEMORY:-64mb}" --maxmemory-policy allkeys-lru
}
redis-balances_ready() { redis_answers redis-balances; }
redis-balances_after() { :; }
redis-balances_stop() { end redis-balances; }
redis-balances_env() {
  echo "WALLETD_BALANCES_URL=redis://127.0.0.1:$(port redis-balances)/0"
  echo "STACK_TLS_BALANCES_URL=rediss://secured:secured-pw@127.0.0.1:$(port redis-balances-tls)"
}

redis-limits_packages() { redis_packages; }
redis-limits_install() { :; }
redis-limits_version() { redis_version; }
redis-limits_init() { :; }
redis-limits_start() { redis_secured redis-limits --maxmemory 32mb --maxmemory-policy noeviction; }
redis-limits_ready() { redis_answers redis-limits; }
redis-limits_after() { :; }
redis-limits_stop() { end redis-limits; }
redis-limits_env() {
  echo "WALLETD_LIMITS_URL=redis://127.0.0.1:$(port redis-limits)/0"
  echo "STACK_TLS_LIMITS_URL=rediss://secured:secured-pw@127.0.0.1:$(port redis-limits-tls)"
}

# A cluster of one node: what must not span slots is refused by it as by a large one.
redis-cluster_packages() { redis_packages; }
redis-cluster_install() { :; }
redis-cluster_version() { redis_version; }
redis-cluster_init() { :; }
redis-cluster_start() {
  redis_launch redis-cluster --cluster-enabled yes --cluster-port "$(port redis-cluster-bus)" --databases 1
}
redis-cluster_ready() { redis_answers redis-cluster; }
redis-cluster_after() {
  local cli=(redis-cli -h 127.0.0.1 -p "$(port redis-cluster)" cluster)
  "${cli[@]}" info | grep -q 'cluster_slots_assigned:16384' || "${cli[@]}" addslotsrange 0 16383
  "${cli[@]}" info | grep -q 'cluster_state:ok'
}
redis-cluster_stop() { end redis-cluster; }
redis-cluster_env() { echo "STACK_REDIS_CLUSTER_URL=redis://127.0.0.1:$(port redis-cluster)"; }
