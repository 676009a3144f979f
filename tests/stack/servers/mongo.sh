# The audit trail's server where there is no mongod: FerretDB on SQLite speaks MongoDB's protocol. It
# is not MongoDB: updates are not atomic and transactions are missing, neither of which the audit uses.

# Another name when go/mongo changes: what is cached was built from it.
MONGO_BUILD=mongo-1.24.0-tls

mongo_packages() { [ -e "$CACHE/$MONGO_BUILD" ] || have go || echo golang-go; }
mongo_install() { cached "$MONGO_BUILD" mongo_build; }
mongo_build() { build_go mongo . "$1"; }
mongo_version() { echo "FerretDB $(sed -n 's/^require .*FerretDB v//p' "$HERE/go/mongo/go.mod")"; }
mongo_init() { mkdir -p "$DATA/mongo"; }
mongo_start() {
  launch mongo "$LOGS/mongo.log" "$CACHE/$MONGO_BUILD/mongo" -listen "127.0.0.1:$(port mongo)" -dir "$DATA/mongo" \
    -tls "127.0.0.1:$(port mongo-tls)" -cert "$TLS/server.pem" -key "$TLS/server.key"
}
mongo_ready() { listening "$(port mongo)"; }
mongo_after() { :; }
mongo_stop() { end mongo; }
mongo_env() {
  echo "WALLETD_AUDIT_URL=mongodb://127.0.0.1:$(port mongo)/wallet"
  echo "STACK_TLS_AUDIT_URL=mongodb://127.0.0.1:$(port mongo-tls)"
  # It scans where MongoDB has an index: verifying a trail of tens of thousands of records takes its time.
  echo WALLETD_STORES__AUDIT__TIMEOUT_MS=60000
  echo WALLETD_SERVER__REQUEST_TIMEOUT_S=300
}
