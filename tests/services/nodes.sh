# Nodes as processes: what the scripts of Kafka and Redis share. Each says itself how a node is told
# (`running DIR NODE`: by its process id and something of its own, so that a number that the system has
# given to somebody else in the meantime is left alone). Its process id stands in DIR/n<NODE>.pid.

signal() { # DIR NODE SIGNAL
  if running "$1" "$2"; then kill "-$3" "$(cat "$1/n$2.pid")"; else echo "node $2 of $1 does not run" >&2; return 1; fi
}
# Between fork and exec a process does not bear its name yet, and would count as ended.
wait_named() { # DIR NODE PID
  for _ in $(seq 100); do if running "$1" "$2" || ! kill -0 "$3" 2> /dev/null; then return 0; fi; sleep 0.05; done
}
end() { # DIR NODE: at once; whoever starts it again must not find it still there
  signal "$1" "$2" KILL
  for _ in $(seq 1200); do running "$1" "$2" || return 0; sleep 0.05; done
  echo "node $2 of $1 was killed and is still there after 60 s" >&2; return 1
}
stop_all() { # DIR: ask, wait up to 10 s, then end
  local file node
  for file in "$1"/n*.pid; do
    [ -e "$file" ] || continue
    node=${file##*/n}; node=${node%.pid}
    if running "$1" "$node"; then signal "$1" "$node" CONT; signal "$1" "$node" TERM; fi
  done
  for file in "$1"/n*.pid; do
    [ -e "$file" ] || continue
    node=${file##*/n}; node=${node%.pid}
    for _ in $(seq 200); do running "$1" "$node" || break; sleep 0.05; done
    if running "$1" "$node"; then end "$1" "$node"; fi
    rm -f "$file"
  done
}
started_at() { cut -d' ' -f22 "/proc/$1/stat" 2> /dev/null || true; }
watch_owner() { # DIR PID: the process's start time tells it from a later one with the same number
  local since; since=$(started_at "$2")
  while [ -n "$since" ] && [ "$(started_at "$2")" = "$since" ]; do sleep 1; done
  stop_all "$1"
  rm -rf "$1"/data*
}
