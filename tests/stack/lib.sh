# Sourced by stack and by the servers' files: places, ports, processes, waiting.
#
# STACK_CACHE  downloads and builds, shared by every stack of this user
# STACK_DIR    one stack: its data, logs, pid files and ports. Outside the home directory, which
#              PostgreSQL's user may not enter, and on a disk, so that fsync means something
# STACK_PORTS  first of the thirty-two ports of this stack; by default a free block is chosen and kept
# DURABLE=1    the servers' default durability; without it fsync is off, for function tests only
CACHE=${STACK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/walletctl-stack}
DIR=${STACK_DIR:-/var/tmp/walletctl-stack-$(id -u)}
DATA=$DIR/data LOGS=$DIR/logs RUN=$DIR/run TLS=$DIR/tls
BLOCK=32

fail() {
  echo "stack: $*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Runs a command as root where that is possible without a question.
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# packages NAME...: installs Debian packages that are not there, or says which.
packages() {
  local name missing=()
  have dpkg-query || fail "this machine has no Debian packages; needed: $*"
  for name in "$@"; do
    dpkg-query -W -f '${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
  done
  [ ${#missing[@]} = 0 ] && return 0
  as_root true 2>/dev/null || fail "missing: ${missing[*]}. As root: apt-get install --no-install-recommends ${missing[*]}"
  echo "stack: installing ${missing[*]}" >&2
  # The package would start a server of its own on the usual port.
  if [[ " ${missing[*]} " == *" postgresql "* && ! -e /etc/postgresql-common/createcluster.conf ]]; then
    as_root mkdir -p /etc/postgresql-common
    as_root tee /etc/postgresql-common/createcluster.conf <<<'create_main_cluster = false' >/dev/null
  fi
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}")
  # Package lists may be absent or old: fetch them only when the first try fails.
  as_root "${install[@]}" >/dev/null 2>&1 && return 0
  as_root apt-get update -qq >&2
  as_root "${install[@]}" >/dev/null
}

# Java 17 or newer, and Maven: Debian's where there is none.
java_packages() {
  have java || echo openjdk-17-jre-headless
  have mvn || echo maven
}

java_is_new_enough() {
  local major
  major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p')
  [ "${major:-0}" -ge 17 ] || fail "java is version ${major:-?}; Kafka and Keycloak need 17 or newer first in PATH"
}

# maven GOAL...: one run of Maven's dependency plugin.
maven() {
  [ -z "$(java_packages)" ] || packages $(java_packages)
  local goal=$1
  shift
  mvn -B -q -Dstyle.color=never "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:$goal" "$@"
}

# Makes $CACHE/NAME by a command that fills a folder given to it. Two stacks may install at once,
# and an installation that was cut short leaves nothing that looks complete.
cached() {
  local name=$1 temporary
  shift
  [ -e "$CACHE/$name" ] && return 0
  mkdir -p "$CACHE"
  temporary=$(mktemp -d "$CACHE/.$name.XXXXXX")
  chmod 755 "$temporary"
  if ! "$@" "$temporary"; then
    rm -rf "$temporary"
    fail "$name could not be installed"
  fi
  # -T: onto the name, never into a folder that somebody else finished meanwhile.
  mv -T "$temporary" "$CACHE/$name" 2>/dev/null || rm -rf "$temporary"
}

# The checksum of the Go toolchain below, as the checksum database has it.
GO_FETCHED=v0.0.1-go1.26.0.linux-amd64
GO_FETCHED_SUM='h1:1p2G5COR51f8Q3EQ4HLJQDDL2ytLEqfL/yTawB0Jr8w='
# Both Go servers build with this one and newer ones.
GO_MINOR=25

# Prints a go command that is new enough. Debian 12 has 1.19, which can fetch a newer one as a module.
go_command() {
  have go || packages golang-go >&2
  local minor fetched dir
  minor=$(go version | sed -n 's/.*go1\.\([0-9]*\).*/\1/p')
  if [ "${minor:-0}" -ge "$GO_MINOR" ]; then
    command -v go
    return 0
  fi
  fetched=$(cd / && GOFLAGS=-mod=mod go mod download -json "golang.org/toolchain@$GO_FETCHED") || fail "no newer Go can be fetched: $fetched"
  grep -qF "\"Sum\": \"$GO_FETCHED_SUM\"" <<<"$fetched" || fail "the fetched Go is not what it should be: $fetched"
  dir=$(sed -n 's/.*"Dir": "\(.*\)".*/\1/p' <<<"$fetched")
  # Modules carry no execute bits.
  chmod u+x "$dir"/bin/* "$dir"/pkg/tool/*/*
  echo "$dir/bin/go"
}

# build_go NAME PACKAGE TARGET: builds a program of go/NAME, with the checksums checked in there.
build_go() {
  local go
  go=$(go_command)
  (cd "$HERE/go/$1" &&
    GOTOOLCHAIN=local CGO_ENABLED=0 GOFLAGS='-mod=readonly -buildvcs=false' "$go" build -trimpath -ldflags '-s -w' -o "$3/$1" "$2")
}

# wait_for SECONDS COMMAND...: waits until a command succeeds.
wait_for() {
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -ge "$end" ] && return 1
    sleep 0.1
  done
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Where the block of ports is claimed.
claim() { echo "/var/tmp/walletctl-stack-ports-$(id -u)/${BASE:-none}"; }

# The ports of this stack: those it had, or a free block. Below the range that the kernel hands out.
choose_ports() {
  mkdir -p "$DATA" "$LOGS" "$RUN"
  # Both of root's servers that drop their rights (PostgreSQL) write here.
  chmod 755 "$DIR" "$DATA"
  chmod 1777 "$LOGS" "$RUN"
  if [ -z "${STACK_PORTS:-}" ] && [ -f "$DIR/ports" ]; then
    BASE=$(cat "$DIR/ports")
    return 0
  fi
  if [ -n "${STACK_PORTS:-}" ]; then
    BASE=$STACK_PORTS
  else
    local try port free
    BASE=
    for try in $(seq 200); do
      BASE=$((20000 + RANDOM % 380 * BLOCK))
      # A block belongs to the stack that made its claim, until that stack's folder is gone.
      mkdir -p "$(dirname "$(claim)")"
      if ! mkdir "$(claim)" 2>/dev/null; then
        [ ! -d "$(cat "$(claim)/stack" 2>/dev/null || echo /)" ] || continue
      fi
      echo "$DIR" >"$(claim)/stack"
      free=yes
      for port in $(seq "$BASE" $((BASE + BLOCK - 1))); do
        if listening "$port"; then free=no; fi
      done
      [ $free = yes ] && break
      BASE=
    done
    [ -n "$BASE" ] || fail "no free block of $BLOCK ports"
  fi
  echo "$BASE" >"$DIR/ports"
}

# An authority of this stack's own and a certificate of it for every server here, made once.
make_certificates() {
  [ ! -e "$TLS/server.both.pem" ] || return 0
  have openssl || packages openssl
  mkdir -p "$TLS"
  (
    cd "$TLS"
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=stack authority' -keyout ca.key -out ca.pem
    openssl req -newkey rsa:2048 -nodes -subj '/CN=localhost' -keyout server.key -out server.csr
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out server.pem \
      -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1')
    # An authority that nobody should trust.
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=a stranger' -keyout stranger.key -out stranger.pem
  ) >"$LOGS/openssl.log" 2>&1 || fail "no certificates can be made; see $LOGS/openssl.log"
  chmod 644 "$TLS"/*
  cat "$TLS/server.key" "$TLS/server.pem" >"$TLS/server.both.pem"
}

# The ports of a stack that is there.
known_ports() {
  [ -f "$DIR/ports" ] || return 1
  BASE=$(cat "$DIR/ports")
}

port() {
  case $1 in
    postgres) echo "$BASE" ;;
    mysql) echo $((BASE + 1)) ;;
    redis-balances) echo $((BASE + 2)) ;;
    redis-limits) echo $((BASE + 3)) ;;
    kafka) echo $((BASE + 4)) ;;
    kafka-controller) echo $((BASE + 5)) ;;
    mongo) echo $((BASE + 6)) ;;
    jaeger) echo $((BASE + 7)) ;; # OTLP over HTTP
    jaeger-query) echo $((BASE + 8)) ;;
    jaeger-admin) echo $((BASE + 9)) ;;
    jaeger-unused) echo $((BASE + 10 + $2)) ;; # four that cannot be switched off
    keycloak) echo $((BASE + 14)) ;;
    keycloak-management) echo $((BASE + 15)) ;;
    kafka-proxied) echo $((BASE + 16)) ;; # what comes here is told to come back by the next one,
    kafka-proxy) echo $((BASE + 17)) ;;   # where a test puts a proxy
    redis-cluster) echo $((BASE + 18)) ;;
    redis-cluster-bus) echo $((BASE + 19)) ;;
    keycloak-shipped) echo $((BASE + 20)) ;;
    keycloak-shipped-management) echo $((BASE + 21)) ;;
    gateway) echo $((BASE + 22)) ;; # where a walletd stands in front of the shipped realm
    redis-balances-tls) echo $((BASE + 28)) ;;
    redis-limits-tls) echo $((BASE + 29)) ;;
    kafka-tls) echo $((BASE + 30)) ;;
    mongo-tls) echo $((BASE + 31)) ;;
  esac
}

# A pid file has the process's start time beside its number, so that a recycled number is never killed.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

save_pid() { echo "$2 $(start_time "$2")" >"$RUN/$1.pid"; }

alive() {
  local pid since
  [ -f "$RUN/$1.pid" ] && read -r pid since <"$RUN/$1.pid" && [ -n "$since" ] && [ "$(start_time "$pid")" = "$since" ] &&
    # A process that has ended and was not waited for is not alive.
    ! grep -q '^State:.*Z' "/proc/$pid/status" 2>/dev/null
}

pid_of() {
  local pid _
  alive "$1" && read -r pid _ <"$RUN/$1.pid" && echo "$pid"
}

# launch NAME LOG COMMAND...: starts a server that outlives this script and holds none of its files.
launch() {
  local name=$1 log=$2
  shift 2
  setsid "$@" >>"$log" 2>&1 </dev/null 8>&- 9>&- &
  save_pid "$name" $!
}

# Ends a server: asked to, and after a while made to.
end() {
  local pid
  if pid=$(pid_of "$1"); then
    kill -CONT "$pid" 2>/dev/null || true
    kill "-${2:-TERM}" "$pid" 2>/dev/null || true
    wait_for 15 gone "$1" || kill -KILL "$pid" 2>/dev/null || true
    wait_for 5 gone "$1" || true
  fi
  rm -f "$RUN/$1.pid"
}

gone() { ! alive "$1"; }

# As root PostgreSQL does not run: its own user runs it.
as_user() { if [ "$(id -u)" = 0 ]; then runuser -u "$1" -- "${@:2}"; else "${@:2}"; fi; }
