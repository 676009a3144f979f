# Who is calling: Keycloak. Not started unless it is named.
#
#   keycloak          the test realm of keycloak/, reached directly; new at every start
#   keycloak-shipped  the realm that is shipped, with nobody in it, behind a gateway as in docker-compose.yml:
#                     its URLs are those of WALLETD_PUBLIC_URL, where a test lets its walletd listen. It keeps its
#                     data, so that a test can restart it
KEYCLOAK_VERSION=26.7.3
# The build's name in the cache: another one for other options.
KEYCLOAK_BUILD=keycloak-$KEYCLOAK_VERSION-file
# For tests: no secret that protects anything.
KEYCLOAK_ADMIN=admin
KEYCLOAK_CRON_JOB_SECRET=only-for-tests-of-the-shipped-realm

keycloak_packages() {
  have java || echo openjdk-17-jre-headless
  have curl || echo curl
  have python3 || echo python3
  [ -e "$CACHE/$KEYCLOAK_BUILD" ] || { java_packages && { have unzip || echo unzip; }; }
}
keycloak-shipped_packages() { keycloak_packages; }

keycloak_install() {
  java_is_new_enough
  cached "$KEYCLOAK_BUILD" keycloak_unpack
}
keycloak-shipped_install() { keycloak_install; }

keycloak_unpack() {
  maven copy -Dartifact="org.keycloak:keycloak-quarkus-dist:$KEYCLOAK_VERSION:zip" -DoutputDirectory="$1/zip" || return 1
  unzip -q "$1"/zip/*.zip -d "$1/unpacked" || return 1
  mv "$1"/unpacked/*/* "$1/"
  rm -rf "$1/zip" "$1/unpacked"
  # The optimised build, made once: it takes longer than a start.
  "$1/bin/kc.sh" build --db=dev-file --cache=local --health-enabled=false --metrics-enabled=false >"$1/build.log" 2>&1 ||
    { cat "$1/build.log" >&2; return 1; }
}

keycloak_version() { echo "$KEYCLOAK_VERSION"; }
keycloak-shipped_version() { echo "$KEYCLOAK_VERSION"; }

# keycloak_home NAME REALM: a folder of its own beside the shared programs. Keycloak imports from, and writes to, its
# data folder.
keycloak_home() {
  local home=$DATA/$1
  [ -d "$home" ] || cp -a "$CACHE/$KEYCLOAK_BUILD" "$home"
  mkdir -p "$home/data/import"
  cp "$2" "$home/data/import/wallet-realm.json"
}

keycloak_init() {
  keycloak_home keycloak "$HERE/keycloak/wallet-realm.json"
  rm -rf "$DATA/keycloak/data/h2"
}
keycloak-shipped_init() { keycloak_home keycloak-shipped "$HERE/../../daemon/keycloak/realm.json"; }

# keycloak_run NAME OPTION...
keycloak_run() {
  local name=$1
  shift
  # kc.sh itself asks for G1, and two collectors are an error.
  JAVA_OPTS_KC_HEAP='-Xms64m -Xmx256m' \
    JAVA_OPTS_APPEND='-XX:-UseG1GC -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.net.preferIPv4Stack=true' \
    KC_BOOTSTRAP_ADMIN_USERNAME=$KEYCLOAK_ADMIN KC_BOOTSTRAP_ADMIN_PASSWORD=$KEYCLOAK_ADMIN \
    WALLET_CRON_JOB_SECRET=$KEYCLOAK_CRON_JOB_SECRET \
    launch "$name" "$LOGS/$name.log" "$DATA/$name/bin/kc.sh" start --optimized --import-realm --http-enabled=true \
    --http-host=127.0.0.1 --http-port="$(port "$name")" --http-management-port="$(port "$name-management")" "$@"
  # kc.sh waits for the server, and the server would outlive it: it is the server that is signalled.
  local script
  script=$(pid_of "$name")
  wait_for 20 java_of "$script" || return 1
  save_pid "$name" "$(java_of "$script")"
}

# The server that a kc.sh has started.
java_of() {
  local child
  for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do
    [ "$(cat "/proc/$child/comm" 2>/dev/null)" != java ] || { echo "$child"; return 0; }
  done
  return 1
}

keycloak_start() { keycloak_run keycloak --hostname-strict=false; }

# As in docker-compose.yml.
keycloak-shipped_start() {
  keycloak_run keycloak-shipped --hostname="$(gateway_url)/auth" --hostname-backchannel-dynamic=true \
    --hostname-admin="http://127.0.0.1:$(port keycloak-shipped)" --proxy-headers=xforwarded
}

gateway_url() { echo "https://127.0.0.1:$(port gateway)"; }
realm_answers() { curl -sf -o /dev/null --noproxy '*' "http://127.0.0.1:$1/realms/wallet/.well-known/openid-configuration"; }
keycloak_ready() { realm_answers "$(port keycloak)"; }
keycloak-shipped_ready() { realm_answers "$(port keycloak-shipped)"; }
keycloak_after() { :; }
keycloak-shipped_after() { :; }
keycloak_stop() { end keycloak; }
keycloak-shipped_stop() { end keycloak-shipped; }
keycloak_env() { echo "STACK_KEYCLOAK_URL=http://127.0.0.1:$(port keycloak)"; }
# A walletd with these variables is the gateway in front of it.
keycloak-shipped_env() {
  gateway_env "http://127.0.0.1:$(port keycloak-shipped)" "$KEYCLOAK_CRON_JOB_SECRET" "$KEYCLOAK_ADMIN"
}

# gateway_env KEYCLOAK CRON-SECRET ADMIN-PASSWORD
gateway_env() {
  echo "WALLETD_LISTEN=127.0.0.1:$(port gateway)"
  echo "WALLETD_PUBLIC_URL=$(gateway_url)"
  echo "WALLETD_GATEWAY__CERT_FILE=$TLS/server.pem"
  echo "WALLETD_GATEWAY__KEY_FILE=$TLS/server.key"
  echo "WALLETD_KEYCLOAK_URL=$1"
  echo "WALLETD_ISSUER=$(gateway_url)/auth/realms/wallet"
  echo "WALLETD_DISCOVERY_URL=$1/realms/wallet"
  echo "WALLETD_AUTH__CLIENTS=[walletctl,cron-job]"
  echo "STACK_GATEWAY_CA=$TLS/ca.pem"
  echo "STACK_KEYCLOAK_SHIPPED_SECRET=$2"
  echo "STACK_KEYCLOAK_SHIPPED_ADMIN=$3"
}
