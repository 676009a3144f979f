# Who is calling: Keycloak with the test realm of keycloak/. Not started unless it is named.
KEYCLOAK_VERSION=26.7.3

keycloak_packages() {
  have java || echo openjdk-17-jre-headless
  have curl || echo curl
  [ -e "$CACHE/keycloak-$KEYCLOAK_VERSION" ] || { java_packages && { have unzip || echo unzip; }; }
}

keycloak_install() {
  java_is_new_enough
  cached "keycloak-$KEYCLOAK_VERSION" keycloak_unpack
}

keycloak_unpack() {
  maven copy -Dartifact="org.keycloak:keycloak-quarkus-dist:$KEYCLOAK_VERSION:zip" -DoutputDirectory="$1/zip" || return 1
  unzip -q "$1"/zip/*.zip -d "$1/unpacked" || return 1
  mv "$1"/unpacked/*/* "$1/"
  rm -rf "$1/zip" "$1/unpacked"
  # The optimised build, made once: it takes longer than a start.
  "$1/bin/kc.sh" build --db=dev-mem --cache=local --health-enabled=false --metrics-enabled=false >"$1/build.log" 2>&1 ||
    { cat "$1/build.log" >&2; return 1; }
}

keycloak_version() { echo "$KEYCLOAK_VERSION"; }

# A folder of its own beside the shared programs: Keycloak imports from, and writes to, its data folder.
keycloak_init() {
  local home=$DATA/keycloak
  [ -d "$home" ] || cp -a "$CACHE/keycloak-$KEYCLOAK_VERSION" "$home"
  mkdir -p "$home/data/import"
  cp "$HERE/keycloak/wallet-realm.json" "$home/data/import/"
}

keycloak_start() {
  # kc.sh itself asks for G1, and two collectors are an error.
  JAVA_OPTS_KC_HEAP='-Xms64m -Xmx256m' \
    JAVA_OPTS_APPEND='-XX:-UseG1GC -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.net.preferIPv4Stack=true' \
    KC_BOOTSTRAP_ADMIN_USERNAME=admin KC_BOOTSTRAP_ADMIN_PASSWORD=admin \
    launch keycloak "$LOGS/keycloak.log" "$DATA/keycloak/bin/kc.sh" start --optimized --import-realm --http-enabled=true \
    --hostname-strict=false --http-host=127.0.0.1 --http-port="$(port keycloak)" \
    --http-management-port="$(port keycloak-management)"
}

keycloak_ready() {
  curl -sf -o /dev/null --noproxy '*' "http://127.0.0.1:$(port keycloak)/realms/wallet/.well-known/openid-configuration"
}
keycloak_after() { :; }
keycloak_stop() { end keycloak; }
keycloak_env() { echo "STACK_KEYCLOAK_URL=http://127.0.0.1:$(port keycloak)/realms/wallet"; }
