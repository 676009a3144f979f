# The events' server: one Kafka node, broker and controller in one (KRaft), from Maven Central.
KAFKA_VERSION=4.4.0

kafka_packages() {
  have java || echo openjdk-17-jre-headless
  [ -e "$CACHE/kafka-$KAFKA_VERSION" ] || java_packages
}

kafka_install() {
  java_is_new_enough
  cached "kafka-$KAFKA_VERSION" kafka_fetch
}

kafka_fetch() {
  cp "$HERE/servers/kafka-pom.xml" "$1/pom.xml"
  maven copy-dependencies -f "$1/pom.xml" -Dkafka.version="$KAFKA_VERSION" -DoutputDirectory="$1/lib" -DincludeScope=runtime || return 1
  # A second logger beside slf4j-simple would be a warning at every start.
  rm -f "$1"/lib/slf4j-reload4j-*.jar
}

kafka_version() { ls "$CACHE/kafka-$KAFKA_VERSION/lib" | sed -n 's/^kafka-clients-\(.*\)\.jar$/\1/p'; }

kafka_java() {
  echo java "$@" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.net.preferIPv4Stack=true \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info \
    -Dorg.slf4j.simpleLogger.showDateTime=true
}

kafka_init() {
  local data=$DATA/kafka id address=127.0.0.1:$(port kafka) controller=127.0.0.1:$(port kafka-controller)
  local secured=127.0.0.1:$(port kafka-tls)
  mkdir -p "$data"
  cat >"$DIR/kafka.properties" <<C
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=$controller
listeners=PLAINTEXT://$address,PROXIED://127.0.0.1:$(port kafka-proxied),SECURED://$secured,CONTROLLER://$controller
advertised.listeners=PLAINTEXT://$address,PROXIED://127.0.0.1:$(port kafka-proxy),SECURED://$secured,CONTROLLER://$controller
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SECURED:SASL_SSL,CONTROLLER:PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location=$TLS/server.both.pem
listener.name.secured.sasl.enabled.mechanisms=PLAIN
listener.name.secured.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_secured="secured-pw";
log.dirs=$data
num.partitions=1
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=4194304
C
  [ -f "$data/meta.properties" ] && return 0
  id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | tr -d =)
  $(kafka_java -Xmx64m) -cp "$CACHE/kafka-$KAFKA_VERSION/lib/*" kafka.tools.StorageTool format --standalone -t "$id" \
    -c "$DIR/kafka.properties" >"$LOGS/kafka-format.log" 2>&1
}

kafka_start() {
  # kafka_ready looks for a line of this run.
  : >"$LOGS/kafka.log"
  launch kafka "$LOGS/kafka.log" $(kafka_java -Xms64m -Xmx256m) -cp "$CACHE/kafka-$KAFKA_VERSION/lib/*" kafka.Kafka "$DIR/kafka.properties"
}

kafka_ready() { grep -q 'Kafka Server started' "$LOGS/kafka.log" && listening "$(port kafka)"; }
kafka_after() { :; }
kafka_stop() { end kafka; }
kafka_env() {
  echo "WALLETD_EVENTS_URL=kafka://127.0.0.1:$(port kafka)/wallet"
  echo "STACK_TLS_EVENTS_URL=kafka://secured:secured-pw@127.0.0.1:$(port kafka-tls)"
  # A broker tells its clients where to connect: a proxy between them has to be where it says.
  echo "STACK_KAFKA_PROXIED=127.0.0.1:$(port kafka-proxied)"
  echo "STACK_KAFKA_PROXY=127.0.0.1:$(port kafka-proxy)"
}
