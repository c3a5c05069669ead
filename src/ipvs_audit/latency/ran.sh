#!/bin/sh
# Times the estimator's own runs on a Linux host, for some seconds. Needs root, and tracefs mounted.
#
# Up to Linux 6.1: two probe events on estimation_timer, in a tracing instance of our own, so that a
# tracer in use there goes on as it was. Both are removed when this ends, by a watcher where it was
# killed; not where the watcher was killed too, or where somebody else uses them, and nobody says so
# then. So it is for guests of the lab. From 6.2 on: the CPU time of the threads ipvs-e:*, which the
# kernel counts anyway; that reads only.
# Prints one frame, as probe.sh does. ran.py fills in the @...@ words.

nonce='@NONCE@'
seconds='@SECONDS@'
group=ipvs_audit_@TAG@
nl='
'

undo() {
  { echo 0 >"$own/tracing_on"; } 2>/dev/null
  { echo 0 >"$own/events/$group/enable"; } 2>/dev/null
  rmdir "$own" 2>/dev/null
  for one in run end; do
    { echo "-:$group/$one" >>"$tracing/kprobe_events"; } 2>/dev/null
  done
}

# Undoes in our place where we were killed, or got stuck.
watch() {
  trap '' HUP INT TERM PIPE
  left=$((seconds + 20))
  while [ "$left" -gt 0 ] && kill -0 "$1" 2>/dev/null && [ -d "$own" ]; do
    sleep 1
    left=$((left - 1))
  done
  undo
}

threads() {
  for one in /proc/[0-9]*/comm; do
    IFS= read -r comm <"$one" || continue
    case $comm in ipvs-e:*) ;; *) continue ;; esac
    read -r ran _ <"${one%comm}schedstat" || continue
    one=${one#/proc/}
    said="$said$1=${one%/comm} $comm $ran$nl"
  done 2>/dev/null
}

refuse() { said="refused=$1$nl"; }

by_threads() {
  kind=threads
  command="cat /proc/PID/schedstat  # of the threads ipvs-e:*, $seconds s apart"
  said=''
  threads first
  sleep "$seconds"
  threads last
}

by_timer() {
  kind=timer
  command="probe events on estimation_timer, for $seconds s, in $own"
  symbol=estimation_timer
  grep -q '^ip_vs ' /proc/modules 2>/dev/null && symbol=ip_vs:estimation_timer
  trap 'undo; exit 1' HUP INT TERM PIPE
  if ! mkdir "$own" 2>/dev/null; then
    refuse "no tracing instance can be made in $tracing/instances"
    return
  fi
  watch $$ </dev/null >/dev/null 2>&1 &
  if ! { echo "p:$group/run $symbol" >>"$tracing/kprobe_events" &&
    echo "r:$group/end $symbol" >>"$tracing/kprobe_events" &&
    echo 256 >"$own/buffer_size_kb" &&
    echo 1 >"$own/events/$group/enable"; } 2>/dev/null; then
    undo
    refuse "the kernel takes no probe events on $symbol"
    return
  fi
  sleep "$seconds"
  said=$(grep -E '(run|end): \(' "$own/trace" | head -n 2000 | sed 's/^/event=/')
  said="$said${said:+$nl}"
  undo
}

main() {
  LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
  export LC_ALL PATH
  command=: kind=none said=''
  tracing=/sys/kernel/tracing
  [ -d "$tracing/instances" ] || tracing=/sys/kernel/debug/tracing
  own=$tracing/instances/$group
  if grep -qs '^ipvs-e:' /proc/[0-9]*/comm; then
    by_threads
  elif ! grep -qw estimation_timer /proc/kallsyms; then
    refuse 'the kernel has no estimation_timer, and no thread ipvs-e:* runs'
  elif [ "$(id -u)" != 0 ]; then
    refuse 'only root may trace'
  elif [ ! -d "$tracing/instances" ]; then
    refuse 'tracefs is not mounted; mount -t tracefs tracefs /sys/kernel/tracing'
  elif [ ! -w "$tracing/kprobe_events" ]; then
    refuse 'the kernel has no probe events (CONFIG_KPROBE_EVENTS)'
  else
    by_timer
  fi
  read -r up _ </proc/uptime
  said="kind=$kind${nl}seconds=$seconds$nl${said}end$nl"
  printf '%s latency.trace - %s %s %s\n%s%s\n' "$nonce" "$up" "${#command}" "${#said}" "$command" "$said"
  printf '%s end 1\n' "$nonce"
}

main </dev/null
