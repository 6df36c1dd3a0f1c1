#!/usr/bin/env bash
# A real Nacos (standalone, embedded database) on loopback, for tests and for trying things out.
#   nacos.sh up DIR [--port 8848] [--console PORT] [--version 3.1|2.3] [--auth] [--owner PID]
#                                         start, wait until it answers, print host:port
#   nacos.sh kill|pause|resume|start DIR  crash, hang, go on, start again (or go on) and wait
#   nacos.sh down DIR                     stop it; its documents stay
#   nacos.sh fetch                        only bring the jars
# Its interface is at http://127.0.0.1:PORT/nacos. It also listens on PORT+1000 and PORT+1001 (notices)
#   and PORT-1000; 3.1 has its console on a port of its own (PORT+9232), 2.3 under /nacos.
# --auth: everything needs a login, as `nacos` with the password `nacos`; NACOS_TOKEN_SECONDS is how
#   long one lasts (18000).
# --owner: when that process has ended, the server is stopped and its documents deleted; logs stay.
# The jars are from Maven Central, republished there by third parties, because Nacos publishes no
#   server; those that matter are compared with SHA256SUMS.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${WEIR_SERVICES_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/weir-services}

# Sets $classes: the class path, from the cache or by Maven.
class_path() { # VERSION
  local source=$here/$1 base new
  [ -d "$source" ] || { echo "no such version: $1" >&2; return 1; }
  base=$cache/nacos-$1-$(find "$source" -type f -not -name "*.properties" | sort | xargs cat | sha256sum | cut -c1-12)
  mkdir -p "$base"
  exec 9> "$base/lock"; flock 9
  if [ ! -s "$base/cp" ]; then
    new=$base/cp.$$
    mvn -q -B -Dstyle.color=never -f "$source/pom.xml" dependency:build-classpath -Dmdep.outputFile="$new" -Dmdep.includeScope=runtime >&2
    compare "$new" "$source/SHA256SUMS"
    if compgen -G "$source/*.java" > /dev/null; then javac -proc:none -d "$base" -cp "$(cat "$new")" "$source"/*.java; fi
    mv "$new" "$base/cp"
  fi
  exec 9>&-
  classes=$base:$(cat "$base/cp")
}
compare() { # CLASS_PATH SUMS
  local sum name jar
  while read -r sum name; do
    jar=$(tr : '\n' < "$1" | grep "/$name\$") || { echo "$name is missing from the class path" >&2; return 1; }
    [ "$(sha256sum < "$jar" | cut -d' ' -f1)" = "$sum" ] || { echo "$name is not the one that was tried" >&2; return 1; }
  done < "$2"
}

# A server is known by its process id and by the folder that its command line names: a number that the
# system has given to somebody else in the meantime is left alone.
running() { # DIR
  local pid
  [ -s "$1/nacos.pid" ] && pid=$(cat "$1/nacos.pid") && grep -qzxF -e "-Dnacos.home=$1" "/proc/$pid/cmdline" 2> /dev/null
}
signal() { # DIR SIGNAL
  if running "$1"; then kill "-$2" "$(cat "$1/nacos.pid")"; else echo "no server runs in $1" >&2; return 1; fi
}
wait_gone() { # DIR SECONDS
  for _ in $(seq $(($2 * 10))); do running "$1" || return 0; sleep 0.1; done
  return 1
}
launch() { # DIR: in a session of its own, so that an interrupt of the caller's terminal passes by
  local main=NacosIt classes
  # shellcheck disable=SC1091 # written by `up`
  . "$1/options"
  case $version in 2.*) main=com.alibaba.nacos.Nacos ;; esac
  class_path "$version"
  cd "$1"
  MALLOC_ARENA_MAX=2 setsid java -Xms64m "-Xmx${NACOS_HEAP:-256m}" -Xss512k -XX:+UseSerialGC \
    -XX:TieredStopAtLevel=1 -XX:-UsePerfData -XX:ReservedCodeCacheSize=96m -Djava.awt.headless=true \
    --add-opens java.base/java.lang=ALL-UNNAMED --add-opens java.base/java.util=ALL-UNNAMED --add-opens java.base/java.math=ALL-UNNAMED \
    -Dnacos.standalone=true -Dnacos.deployment.type=merged -Dnacos.remote.grpc.listen.ip=127.0.0.1 \
    "-Dnacos.home=$1" "-Duser.home=$1" "-Dnacos.logs.path=$1/logs" "-Dspring.config.additional-location=file:$1/conf/" \
    -cp "$1/conf:$classes" $main >> "$1/server.log" 2>&1 < /dev/null &
  echo $! > "$1/nacos.pid"
  # Between fork and exec the process does not bear its name yet, and would count as ended.
  for _ in $(seq 100); do if running "$1" || ! kill -0 "$!" 2> /dev/null; then return 0; fi; sleep 0.05; done
}
get() { curl -sf -m 5 -o /dev/null "$1"; }
listens() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }
ready() {
  listens $((port + 1000)) || return 1
  case $version in
    2.*) get "http://127.0.0.1:$port/nacos/v1/console/health/readiness" ;;
    *) get "http://127.0.0.1:$port/nacos/v3/admin/core/state/readiness" && get "http://127.0.0.1:$console/v3/console/health/readiness" ;;
  esac
}
wait_ready() { # DIR
  # shellcheck disable=SC1091 # written by `up`
  . "$1/options"
  local end=$((SECONDS + 240))
  until ready; do
    running "$1" || { echo "the server has ended:" >&2; tail -n 20 "$1/server.log" >&2; return 1; }
    [ $SECONDS -lt $end ] || { echo "the server was not ready within 240 s; see $1/server.log" >&2; return 1; }
    sleep 0.2
  done
}
# A new server of 3.x has no user: the first to ask sets the password. 2.3 has nacos/nacos at once.
make_user() {
  local login=v1/auth/login
  case $version in 3.*)
    login=v3/auth/user/login
    curl -s -m 10 -o /dev/null -X POST "http://127.0.0.1:$port/nacos/v3/auth/user/admin" -d password=nacos ;;
  esac
  for _ in $(seq 60); do
    if curl -sf -m 10 -o /dev/null -X POST "http://127.0.0.1:$port/nacos/$login" -d 'username=nacos&password=nacos'; then return 0; fi
    sleep 0.5
  done
  echo "nobody can log in" >&2; return 1
}
stop() { # DIR: ask, wait up to 20 s, then end
  if running "$1"; then
    signal "$1" CONT
    signal "$1" TERM
    wait_gone "$1" 20 || { signal "$1" KILL; wait_gone "$1" 5; }
  fi
  rm -f "$1/nacos.pid"
}
started_at() { cut -d' ' -f22 "/proc/$1/stat" 2> /dev/null || true; }
watch_owner() { # DIR PID: the process's start time tells it from a later one with the same number
  local since; since=$(started_at "$2")
  while [ -n "$since" ] && [ "$(started_at "$2")" = "$since" ]; do sleep 1; done
  if running "$1"; then signal "$1" KILL; wait_gone "$1" 10 || true; fi
  rm -rf "$1/data" "$1/nacos.pid"
}

up() {
  local dir=$1 port=8848 console="" version=3.1 auth=false owner="" token=${NACOS_TOKEN_SECONDS:-18000}; shift
  while [ $# -gt 0 ]; do
    case $1 in
      --port) port=$2; shift 2 ;;
      --console) console=$2; shift 2 ;;
      --version) version=$2; shift 2 ;;
      --owner) owner=$2; shift 2 ;;
      --auth) auth=true; shift ;;
      *) echo "unknown option $1" >&2; exit 2 ;;
    esac
  done
  mkdir -p "$dir/conf"; dir=$(cd "$dir" && pwd)
  console=${console:-$((port + 9232))}
  if [ -n "$owner" ]; then
    ( exec setsid bash "$here/nacos.sh" watch "$dir" "$owner" > /dev/null 2>&1 < /dev/null ) &
  fi
  if ! running "$dir"; then
    printf 'port=%s console=%s version=%s\n' "$port" "$console" "$version" > "$dir/options"
    sed "s/@PORT@/$port/; s/@CONSOLE@/$console/; s/@AUTH@/$auth/; s/@TOKEN@/$token/" \
      "$here/$version/application.properties" > "$dir/conf/application.properties"
    launch "$dir"
    # On a busy machine the database may take longer to make itself than Nacos gives it; then the
    # server ends, and it is begun anew.
    if ! wait_ready "$dir" && ! running "$dir"; then echo "it is started once more" >&2; rm -rf "$dir/data"; launch "$dir"; fi
  fi
  wait_ready "$dir"
  [ $auth = false ] || make_user
  echo "127.0.0.1:$port" | tee "$dir/address"
}

case ${1:-} in
  kill|pause|resume|start|down) [ -d "${2:-}" ] || { echo "no such folder: ${2:-}" >&2; exit 2; }; dir=$(cd "$2" && pwd) ;;
esac
case ${1:-} in
  up) shift; up "$@" ;;
  kill) signal "$dir" KILL; wait_gone "$dir" 10 ;;
  pause) signal "$dir" STOP ;;
  resume) signal "$dir" CONT ;;
  start) if running "$dir"; then signal "$dir" CONT; else launch "$dir"; fi; wait_ready "$dir" ;;
  down) stop "$dir" ;;
  watch) watch_owner "$2" "$3" ;;
  fetch) class_path 3.1; class_path 2.3 ;;
  *) sed -n '2,15p' "$0" >&2; exit 2 ;;
esac
