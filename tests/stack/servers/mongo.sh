# The audit trail's server where there is no mongod: FerretDB on SQLite speaks MongoDB's protocol. It
# is not MongoDB: updates are not atomic and transactions are missing, neither of which the audit uses.

mongo_packages() { [ -e "$CACHE/mongo-1.24.0" ] || have go || echo golang-go; }
mongo_install() { cached mongo-1.24.0 mongo_build; }
mongo_build() { build_go mongo . "$1"; }
mongo_version() { echo "FerretDB $(sed -n 's/^require .*FerretDB v//p' "$HERE/go/mongo/go.mod")"; }
mongo_init() { mkdir -p "$DATA/mongo"; }
mongo_start() {
  launch mongo "$LOGS/mongo.log" "$CACHE/mongo-1.24.0/mongo" -listen "127.0.0.1:$(port mongo)" -dir "$DATA/mongo"
}
mongo_ready() { listening "$(port mongo)"; }
mongo_after() { :; }
mongo_stop() { end mongo; }
mongo_env() {
  echo "WALLETD_AUDIT_URL=mongodb://127.0.0.1:$(port mongo)/wallet"
  # It scans where MongoDB has an index: verifying a trail of tens of thousands of records takes its time.
  echo WALLETD_STORES__AUDIT__TIMEOUT_MS=60000
  echo WALLETD_SERVER__REQUEST_TIMEOUT_S=300
}
