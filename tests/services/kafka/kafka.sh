#!/usr/bin/env bash
# A real Kafka (KRaft, no ZooKeeper) on loopback, for tests and for trying things out.
#   kafka.sh up DIR [--nodes 1|3] [--port 19092] [--sasl] [--tls] [--owner PID]
#                                         start, wait until it answers, print the bootstrap servers
#   kafka.sh topic DIR NAME [PARTITIONS]  create a topic if it is not there
#   kafka.sh read DIR TOPIC               print a topic from its beginning until it is silent for 3 s
#   kafka.sh kill|pause|resume|start DIR NODE    crash, hang, go on, start again
#   kafka.sh down DIR                     stop every node
#   kafka.sh fetch                        only bring the jars
# Node i listens on port+(i-1)*10; the next two ports are its replication and controller listeners.
# ADVERTISE_i=host:port makes node i tell clients another address (a fault proxy's).
# --sasl: clients log in by SASL without TLS (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) as `weir` with the
#   password `weir-secret`, which may write topics that start with `allowed`, sees topics that start
#   with `visible`, and may do nothing else; `admin` with `admin-secret` may do everything.
# --tls: clients speak TLS and show a certificate; DIR/tls has ca.pem, client.pem, client.key, and of an
#   authority that nobody trusts other-ca.pem.
# --owner: when that process has ended, the nodes are stopped and their data deleted; logs stay.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/services/nodes.sh
. "$here/../nodes.sh"
cache=${WEIR_SERVICES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/weir-services}
read -r -a heap <<< "${KAFKA_HEAP:--Xms128m -Xmx256m}"
jvm=(java "${heap[@]}" -Xss512k -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData
     -XX:MaxDirectMemorySize=64m -Djava.awt.headless=true -Djava.net.preferIPv4Stack=true
     "-Dlog4j.configuration=file:$here/log4j.properties")

class_path() {
  local file new
  file=$cache/kafka-$(sha256sum "$here/pom.xml" | cut -c1-12).cp
  if [ ! -s "$file" ]; then
    mkdir -p "$cache"; new=$file.$$
    mvn -q -B -f "$here/pom.xml" dependency:build-classpath -Dmdep.outputFile="$new" -Dmdep.includeScope=runtime >&2
    mv "$new" "$file"
  fi
  cat "$file"
}
tool() { "${jvm[@]}" -cp "$(class_path)" "$@"; }

# A node is known by its process id and by the file that its command line names: a number that the
# system has given to somebody else in the meantime is left alone.
running() { # DIR NODE
  local pid
  [ -s "$1/n$2.pid" ] && pid=$(cat "$1/n$2.pid") && grep -qF "$1/n$2.properties" "/proc/$pid/cmdline" 2> /dev/null
}
launch() { # DIR NODE: in a session of its own, so that an interrupt of the caller's terminal passes by
  local jars; jars=$(class_path)
  setsid "${jvm[@]}" -cp "$jars" kafka.Kafka "$1/n$2.properties" >> "$1/n$2.log" 2>&1 < /dev/null &
  echo $! > "$1/n$2.pid"
  wait_named "$1" "$2" $!
}
port_of() { sed -n 's/^listeners=CLIENT:\/\/127.0.0.1:\([0-9]*\),.*/\1/p' "$1/n$2.properties"; }
answers() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }
wait_ready() { # DIR NODE
  local port; port=$(port_of "$1" "$2")
  for _ in $(seq 480); do
    answers "$port" && return 0
    running "$1" "$2" || { echo "node $2 has ended:" >&2; tail -n 20 "$1/n$2.log" >&2; return 1; }
    sleep 0.25
  done
  echo "node $2 did not listen on $port within 120 s:" >&2; tail -n 20 "$1/n$2.log" >&2; return 1
}

certificates() { # DIR: for 127.0.0.1, signed by an authority made here
  local tls=$1/tls name; mkdir -p "$tls"
  for name in ca other-ca; do
    openssl req -x509 -newkey rsa:2048 -nodes -days 7 -subj "/CN=weir-test-$name" -keyout "$tls/$name.key" -out "$tls/$name.pem" 2>> "$tls/log"
  done
  for name in server client; do
    openssl req -newkey rsa:2048 -nodes -subj "/CN=weir-test-$name" -keyout "$tls/$name.key" -out "$tls/$name.csr" 2>> "$tls/log"
    openssl x509 -req -days 7 -in "$tls/$name.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial \
      -extfile <(echo subjectAltName=IP:127.0.0.1) -out "$tls/$name.pem" 2>> "$tls/log"
  done
  cat "$tls/server.key" "$tls/server.pem" > "$tls/keystore.pem"
}

properties() { # DIR NODE PORT NODES VOTERS SASL TLS
  local advertise=ADVERTISE_$2 in_sync=$(( $4 < 3 ? 1 : 2 )) client=PLAINTEXT
  advertise=${!advertise:-127.0.0.1:$3}
  [ -z "$6" ] || client=SASL_PLAINTEXT
  [ -z "$7" ] || client=SSL
  cat <<P
process.roles=broker,controller
node.id=$2
controller.quorum.voters=$5
listeners=CLIENT://127.0.0.1:$3,REPLICA://127.0.0.1:$(($3 + 1)),CONTROLLER://127.0.0.1:$(($3 + 2))
advertised.listeners=CLIENT://$advertise,REPLICA://127.0.0.1:$(($3 + 1))
listener.security.protocol.map=CLIENT:$client,REPLICA:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=REPLICA
controller.listener.names=CONTROLLER
log.dirs=$1/data$2
num.partitions=6
default.replication.factor=$4
min.insync.replicas=$in_sync
offsets.topic.replication.factor=$4
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=$4
transaction.state.log.min.isr=$in_sync
transaction.state.log.num.partitions=3
auto.create.topics.enable=${KAFKA_AUTO_CREATE:-false}
message.max.bytes=${KAFKA_MESSAGE_MAX:-1048588}
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=2097152
log.segment.bytes=33554432
log.index.size.max.bytes=1048576
log.retention.bytes=536870912
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
controller.quorum.election.timeout.ms=1000
controller.quorum.fetch.timeout.ms=2000
replica.lag.time.max.ms=4000
P
  [ -z "$7" ] || cat <<P
listener.name.client.ssl.keystore.type=PEM
listener.name.client.ssl.keystore.location=$1/tls/keystore.pem
listener.name.client.ssl.truststore.type=PEM
listener.name.client.ssl.truststore.location=$1/tls/ca.pem
listener.name.client.ssl.client.auth=required
P
  [ -z "$6" ] || cat <<P
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.client.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_admin="admin-secret" user_weir="weir-secret";
listener.name.client.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:admin;User:ANONYMOUS
P
}
format() { # DIR NODE SASL
  local users=() mechanism
  if [ -n "$3" ]; then
    for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
      users+=(--add-scram "$mechanism=[name=admin,password=admin-secret]" --add-scram "$mechanism=[name=weir,password=weir-secret]")
    done
  fi
  tool kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qk -c "$1/n$2.properties" --ignore-formatted "${users[@]}" > "$1/n$2.format.log" 2>&1 \
    || { cat "$1/n$2.format.log" >&2; return 1; }
}
grant() { # DIR: over the replication listener, whose anonymous user is the nodes' own
  local port replica; port=$(port_of "$1" 1); replica=127.0.0.1:$((port + 1))
  tool kafka.admin.AclCommand --bootstrap-server "$replica" --add --allow-principal User:weir \
    --operation Write --operation Describe --topic allowed --resource-pattern-type prefixed > "$1/acl.log"
  tool kafka.admin.AclCommand --bootstrap-server "$replica" --add --allow-principal User:weir \
    --operation Describe --topic visible --resource-pattern-type prefixed >> "$1/acl.log"
}

up() {
  local dir=$1 nodes=1 base=19092 sasl="" tls="" owner="" voters="" servers="" i port; shift
  while [ $# -gt 0 ]; do
    case $1 in
      --nodes) nodes=$2; shift 2 ;;
      --port) base=$2; shift 2 ;;
      --owner) owner=$2; shift 2 ;;
      --sasl) sasl=yes; shift ;;
      --tls) tls=yes; shift ;;
      *) echo "unknown option $1" >&2; exit 2 ;;
    esac
  done
  mkdir -p "$dir"; dir=$(cd "$dir" && pwd)
  for i in $(seq "$nodes"); do
    port=$((base + (i - 1) * 10))
    voters+="${voters:+,}$i@127.0.0.1:$((port + 2))"; servers+="${servers:+,}127.0.0.1:$port"
  done
  [ -z "$sasl$tls" ] || [ "$sasl$tls" = yes ] || { echo "one of --sasl and --tls" >&2; exit 2; }
  if [ -n "$tls" ] && [ ! -d "$dir/tls" ]; then certificates "$dir"; fi
  if [ -n "$owner" ]; then
    ( exec setsid bash "$here/kafka.sh" watch "$dir" "$owner" > /dev/null 2>&1 < /dev/null ) &
  fi
  for i in $(seq "$nodes"); do
    if running "$dir" "$i"; then continue; fi
    properties "$dir" "$i" $((base + (i - 1) * 10)) "$nodes" "$voters" "$sasl" "$tls" > "$dir/n$i.properties"
    format "$dir" "$i" "$sasl"
    launch "$dir" "$i"
  done
  for i in $(seq "$nodes"); do wait_ready "$dir" "$i"; done
  if [ -n "$sasl" ] && [ ! -s "$dir/acl.log" ]; then grant "$dir"; fi
  echo "$servers" | tee "$dir/bootstrap"
}

case ${1:-} in
  kill|pause|resume|start|down|topic|read) [ -d "${2:-}" ] || { echo "no such folder: ${2:-}" >&2; exit 2; }; dir=$(cd "$2" && pwd) ;;
esac
# The bootstrap servers for tools; a cluster with SASL or TLS is reached over its replication listener.
bootstrap() { if grep -Eqs '^(authorizer|listener.name.client.ssl)' "$dir/n1.properties"; then echo "127.0.0.1:$(($(port_of "$dir" 1) + 1))"; else cat "$dir/bootstrap"; fi; }
case ${1:-} in
  up) shift; up "$@" ;;
  topic) tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$(bootstrap)" --create --if-not-exists --topic "$3" --partitions "${4:-6}" ;;
  read) tool org.apache.kafka.tools.consumer.ConsoleConsumer --bootstrap-server "$(bootstrap)" --topic "$3" --from-beginning --timeout-ms 3000 2> /dev/null || true ;;
  kill) end "$dir" "$3" ;;
  pause) signal "$dir" "$3" STOP ;;
  resume) signal "$dir" "$3" CONT ;;
  start) running "$dir" "$3" || launch "$dir" "$3"; wait_ready "$dir" "$3" ;;
  down) stop_all "$dir" ;;
  watch) watch_owner "$2" "$3" ;;
  fetch) class_path > /dev/null ;;
  *) sed -n '2,19p' "$0" >&2; exit 2 ;;
esac
