#!/usr/bin/env bash
# Two real one-node Kafka clusters under target/services, to try things by hand.
#   play.sh up      start both, make topics, say where they are
#   play.sh down    stop both; their data stays until target/ is deleted
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)/target/services
kafka=$here/kafka/kafka.sh

case ${1:-} in
  up)
    "$here/install.sh"
    export KAFKA_AUTO_CREATE=true
    first=$("$kafka" up "$root/kafka-1" --port 19092)
    second=$("$kafka" up "$root/kafka-2" --port 19192)
    cat <<T
two clusters run: $first and $second (topics appear when they are first written)
  read a topic:  ${kafka#"$PWD"/} read target/services/kafka-1 TOPIC
  let it hang:   ${kafka#"$PWD"/} pause target/services/kafka-1 1    (go on: resume; crash: kill; again: start)
  stop both:     make services-down
T
    ;;
  down) for name in kafka-1 kafka-2; do if [ -d "$root/$name" ]; then "$kafka" down "$root/$name"; fi; done ;;
  *) sed -n '2,4p' "$0" >&2; exit 2 ;;
esac
