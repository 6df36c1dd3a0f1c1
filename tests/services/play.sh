#!/usr/bin/env bash
# Real servers under target/services, to try things with: two one-node Kafka clusters, a Nacos and a
# Redis, on the ports that config-examples/tracking names.
#   play.sh up      start them and say where they are; topics appear when they are first written
#   play.sh down    stop them; their data stays until target/ is deleted
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)/target/services
kafka=$here/kafka/kafka.sh nacos=$here/nacos/nacos.sh redis=$here/redis/redis.sh

case ${1:-} in
  up)
    "$here/install.sh" servers
    mkdir -p "$root"
    export KAFKA_AUTO_CREATE=true
    "$kafka" up "$root/kafka-1" --port 19092 > /dev/null
    "$kafka" up "$root/kafka-2" --port 19192 > /dev/null
    "$redis" up "$root/redis" --port 16379 > /dev/null
    "$nacos" up "$root/nacos" --port 8848 > /dev/null
    cat <<T
These run, with their data under target/services (stop them: make services-down):
  Kafka "bigdata"      127.0.0.1:19092    read a topic: ${kafka#"$PWD"/} read target/services/kafka-1 TOPIC
  Kafka "attribution"  127.0.0.1:19192                  ${kafka#"$PWD"/} read target/services/kafka-2 TOPIC
  Redis                127.0.0.1:16379
  Nacos                127.0.0.1:8848     its console: http://127.0.0.1:18080
Let one hang with \`pause\`, go on with \`resume\`, crash with \`kill\`, start again with \`start\`:
  ${kafka#"$PWD"/} pause target/services/kafka-1 1     ${redis#"$PWD"/} kill target/services/redis 1     ${nacos#"$PWD"/} kill target/services/nacos
T
    ;;
  down)
    for name in kafka-1 kafka-2; do if [ -d "$root/$name" ]; then "$kafka" down "$root/$name"; fi; done
    if [ -d "$root/redis" ]; then "$redis" down "$root/redis"; fi
    if [ -d "$root/nacos" ]; then "$nacos" down "$root/nacos"; fi
    ;;
  *) sed -n '2,5p' "$0" >&2; exit 2 ;;
esac
