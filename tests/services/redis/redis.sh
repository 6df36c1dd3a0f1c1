#!/usr/bin/env bash
# A real Redis on loopback, for tests and for trying things out.
#   redis.sh up DIR [--port 16379] [--cluster] [--owner PID]
#                                         start, wait until it answers, print the addresses
#   redis.sh cli DIR NODE COMMAND…        what redis-cli says of a node
#   redis.sh kill|pause|resume|start DIR NODE    crash, hang, go on, start again
#   redis.sh down DIR                     stop every node
# --cluster: a Cluster of three masters without replicas, on port, port+1 and port+2; their bus is on
#   the next three.
# Nodes run with an append-only file and without eviction, as the device map demands; REDIS_APPENDONLY=no
#   and REDIS_POLICY=allkeys-lru make one that is wrong. REDIS_NODE_TIMEOUT=2000: the nodes of a Cluster
#   give one another up after so many milliseconds, not after 15 s.
# --owner: when that process has ended, the nodes are stopped and their data deleted; logs stay.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/services/nodes.sh
. "$here/../nodes.sh"

# A node is known by its process id and by the folder that it runs in: a number that the system has
# given to somebody else in the meantime is left alone.
running() { # DIR NODE
  local pid
  [ -s "$1/n$2.pid" ] && pid=$(cat "$1/n$2.pid") && [ "$(readlink "/proc/$pid/cwd")" = "$1/data$2" ] \
    && grep -q '^redis-server' "/proc/$pid/cmdline" 2> /dev/null
}
launch() { # DIR NODE: in a session of its own, so that an interrupt of the caller's terminal passes by
  (cd "$1/data$2" && exec setsid redis-server "$1/n$2.conf" > /dev/null 2>&1 < /dev/null) &
  echo $! > "$1/n$2.pid"
  wait_named "$1" "$2" $!
}
port_of() { sed -n 's/^port //p' "$1/n$2.conf"; }
cli() { # DIR NODE COMMAND…
  local port; port=$(port_of "$1" "$2"); shift 2
  redis-cli -p "$port" "$@"
}
wait_ready() { # DIR NODE: it answers, and has read its data
  for _ in $(seq 4800); do
    [ "$(cli "$1" "$2" ping 2> /dev/null)" = PONG ] && return 0
    running "$1" "$2" || { echo "node $2 has ended:" >&2; tail -n 20 "$1/n$2.log" >&2; return 1; }
    sleep 0.05
  done
  echo "node $2 did not answer within 240 s:" >&2; tail -n 20 "$1/n$2.log" >&2; return 1
}

settings() { # DIR NODE PORT CLUSTER
  cat <<S
bind 127.0.0.1
port $3
dir $1/data$2
logfile $1/n$2.log
loglevel notice
save ""
appendonly ${REDIS_APPENDONLY:-yes}
appendfsync everysec
maxmemory-policy ${REDIS_POLICY:-noeviction}
S
  [ -z "$4" ] || cat <<S
cluster-enabled yes
cluster-port $(($3 + 3))
cluster-node-timeout ${REDIS_NODE_TIMEOUT:-15000}
S
}
join() { # DIR SERVERS: makes one Cluster of nodes that do not know each other
  local known; known=$(cli "$1" 1 cluster info | sed -n 's/^cluster_known_nodes:\([0-9]*\).*/\1/p')
  if [ "$known" = 1 ]; then
    # shellcheck disable=SC2086 # a list of addresses
    redis-cli --cluster create ${2//,/ } --cluster-yes > "$1/create.log" 2>&1 || { cat "$1/create.log" >&2; return 1; }
  fi
}
wait_joined() { # DIR NODE
  for _ in $(seq 4800); do
    cli "$1" "$2" cluster info | grep -q '^cluster_state:ok' && return 0
    sleep 0.05
  done
  echo "node $2 did not join within 240 s:" >&2; tail -n 20 "$1/n$2.log" >&2; return 1
}
wait_whole() { # DIR: every node that runs says that the Cluster is well; one that was away is given up for a while
  local file node
  grep -q '^cluster-enabled' "$1/n1.conf" || return 0
  for file in "$1"/n*.pid; do
    node=${file##*/n}; node=${node%.pid}
    if running "$1" "$node"; then wait_joined "$1" "$node"; fi
  done
}

up() {
  local dir=$1 base=16379 nodes=1 cluster="" owner="" servers="" i; shift
  while [ $# -gt 0 ]; do
    case $1 in
      --port) base=$2; shift 2 ;;
      --owner) owner=$2; shift 2 ;;
      --cluster) cluster=yes; nodes=3; shift ;;
      *) echo "unknown option $1" >&2; exit 2 ;;
    esac
  done
  command -v redis-server > /dev/null || { echo "redis-server is missing: run tests/services/install.sh" >&2; exit 1; }
  mkdir -p "$dir"; dir=$(cd "$dir" && pwd -P)
  if [ -n "$owner" ]; then
    ( exec setsid bash "$here/redis.sh" watch "$dir" "$owner" > /dev/null 2>&1 < /dev/null ) &
  fi
  for i in $(seq "$nodes"); do
    servers+="${servers:+,}127.0.0.1:$((base + i - 1))"
    if running "$dir" "$i"; then continue; fi
    mkdir -p "$dir/data$i"
    settings "$dir" "$i" $((base + i - 1)) "$cluster" > "$dir/n$i.conf"
    launch "$dir" "$i"
  done
  for i in $(seq "$nodes"); do wait_ready "$dir" "$i"; done
  if [ -n "$cluster" ]; then
    join "$dir" "$servers"
    for i in $(seq "$nodes"); do wait_joined "$dir" "$i"; done
  fi
  echo "$servers" | tee "$dir/servers"
}

case ${1:-} in
  kill|pause|resume|start|down|cli) [ -d "${2:-}" ] || { echo "no such folder: ${2:-}" >&2; exit 2; }; dir=$(cd "$2" && pwd -P) ;;
esac
case ${1:-} in
  up) shift; up "$@" ;;
  cli) shift 2; cli "$dir" "$@" ;;
  kill) end "$dir" "$3" ;;
  pause) signal "$dir" "$3" STOP ;;
  resume) signal "$dir" "$3" CONT; wait_whole "$dir" ;;
  start) running "$dir" "$3" || launch "$dir" "$3"; wait_ready "$dir" "$3"; wait_whole "$dir" ;;
  down) stop_all "$dir" ;;
  watch) watch_owner "$2" "$3" ;;
  *) sed -n '2,13p' "$0" >&2; exit 2 ;;
esac
