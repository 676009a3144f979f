# Traces: Jaeger's all-in-one, built as a dependency of a small module, since `go install` refuses it.

jaeger_packages() {
  have curl || echo curl
  [ -e "$CACHE/jaeger-1.76.0" ] || have go || echo golang-go
}
jaeger_install() { cached jaeger-1.76.0 jaeger_build; }
jaeger_build() { build_go jaeger github.com/jaegertracing/jaeger/cmd/all-in-one "$1"; }
jaeger_version() { sed -n 's/^require .*jaeger v//p' "$HERE/go/jaeger/go.mod"; }
jaeger_init() { :; }
jaeger_start() {
  local host=127.0.0.1
  launch jaeger "$LOGS/jaeger.log" "$CACHE/jaeger-1.76.0/jaeger" \
    --collector.otlp.http.host-port="$host:$(port jaeger)" --query.http-server.host-port="$host:$(port jaeger-query)" \
    --admin.http.host-port="$host:$(port jaeger-admin)" --collector.otlp.grpc.host-port="$host:$(port jaeger-unused 0)" \
    --query.grpc-server.host-port="$host:$(port jaeger-unused 1)" --collector.grpc-server.host-port="$host:$(port jaeger-unused 2)" \
    --collector.http-server.host-port="$host:$(port jaeger-unused 3)" --memory.max-traces=50000 --log-level=warn
}
jaeger_ready() {
  curl -sf -o /dev/null --noproxy '*' "http://127.0.0.1:$(port jaeger-admin)/" &&
    curl -sf -o /dev/null --noproxy '*' "http://127.0.0.1:$(port jaeger-query)/api/services"
}
jaeger_after() { :; }
jaeger_stop() { end jaeger; }
jaeger_env() {
  echo "WALLETD_TRACES_URL=http://127.0.0.1:$(port jaeger)"
  echo "STACK_JAEGER_URL=http://127.0.0.1:$(port jaeger-query)"
}
