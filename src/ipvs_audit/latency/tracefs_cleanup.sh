# What takes back that estimator_runs.sh has written, and tells what it could not. Functions only: estimator_runs.sh runs
# them, and so does its watcher, which is a shell of its own.
# A tag names its owner: ipvs_audit_ + namespace of process ids _ pid _ start time _ four digits.

# When a process began, in ticks since boot; nothing where there is none.
begun() {
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  # shellcheck disable=SC2086 # its words; the name before them may hold anything
  set -- ${stat##*) }
  printf %s "${20}"
}

# untrace TRACEFS TAG: only what bears the tag is touched. Appending matters: a write that truncates
# kprobe_events removes everybody's.
untrace() {
  for one in "$1/events/$2/enable" "$1"/instances/*/events/"$2"/enable; do
    [ ! -e "$one" ] || { echo 0 >"$one"; } 2>/dev/null
  done
  [ ! -d "$1/instances/$2" ] || rmdir "$1/instances/$2" 2>/dev/null
  for one in run end; do
    { printf -- '-:%s/ipvs_audit_%s\n' "$2" "$one" >>"$1/kprobe_events"; } 2>/dev/null
  done
}

# still TRACEFS TAG: what is there all the same, a line each.
still() {
  [ ! -d "$1/instances/$2" ] || printf '%s\n' "$1/instances/$2"
  if [ ! -r "$1/kprobe_events" ] || ! events=$(cat "$1/kprobe_events" 2>/dev/null); then
    printf '%s\n' "perhaps probe events: $1/kprobe_events cannot be read any more"
    return
  fi
  case $events in *":$2/"*) printf '%s\n' "probe events $2 in $1/kprobe_events" ;; esac
}

# watch TRACEFS TAG PID START SECONDS: takes back in the place of a process that was killed, or stuck.
watch() {
  trap '' HUP INT PIPE
  left=$5
  while [ "$left" -gt 0 ] && [ -d "$1/instances/$2" ] && [ "$(begun "$3")" = "$4" ]; do
    sleep 1
    left=$((left - 1))
  done
  untrace "$1" "$2"
}
