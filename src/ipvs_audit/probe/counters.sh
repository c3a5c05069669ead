# shellcheck shell=sh
# The IPVS counters, three times; and at the end of the last time the switch once more.

# One line a namespace: sample, inode, uptime, CPU rows, the sums of the rows (high:low half), the
# totals as they stand in ip_vs_stats, and those of the ~ row where they differ. The totals are
# read first: a total must never know of a packet that the rows read with it do not.
# With the last sample, of the namespace that awk itself is in: a line `switch inode uptime key=value...`.
# shellcheck disable=SC2016 # awk's dollars
sample_awk='
function value(h,   i, n) { n = 0; for (i = 1; i <= length(h); i++) n = n * 16 + index("0123456789ABCDEF", substr(h, i, 1)) - 1; return n }
function hexes(from,   i) { for (i = from; i < from + 5; i++) if (f[i] !~ /^[0-9A-F]+$/ || length(f[i]) > 16) return 0; return 1 }
function one(inode, dir,   file, line, n, i, at, total, tilde, cpus, w) {
  getline at < "/proc/uptime"; close("/proc/uptime"); sub(/ .*/, "", at)
  raw = ""; total = ""; tilde = ""; cpus = 0; bad = 0
  for (i = 1; i <= 5; i++) { hi[i] = 0; lo[i] = 0 }
  file = dir "/ip_vs_stats"; n = 0
  while ((getline line < file) > 0) {
    if (length(raw) < 8192) raw = raw line "\n"
    if (++n != 3) continue
    if (split(line, f, " ") == 5 && hexes(1)) total = f[1] " " f[2] " " f[3] " " f[4] " " f[5]
  }
  close(file)
  file = dir "/ip_vs_stats_percpu"
  while ((getline line < file) > 0) {
    if (length(raw) < 16384) raw = raw line "\n"
    w = split(line, f, " ")
    if (tilde != "" || w != 6) continue
    if (f[1] == "~") { if (hexes(2)) tilde = f[2] " " f[3] " " f[4] " " f[5] " " f[6]; continue }
    if (f[1] !~ /^[0-9A-F]+$/) continue
    if (!hexes(2)) { bad = 1; continue }
    cpus++
    for (i = 1; i <= 5; i++) {
      if ((w = f[i + 1]) == "0") continue
      if (length(w) > 8) { hi[i] += value(substr(w, 1, length(w) - 8)); w = substr(w, length(w) - 7) }
      lo[i] += value(w)
    }
  }
  close(file)
  if (total == "" || tilde == "" || cpus == 0 || bad) { print S, inode, at, "unread"; return }
  line = S " " inode " " at " " cpus
  for (i = 1; i <= 5; i++) line = line " " (hi[i] ? sprintf("%.0f:%.0f", hi[i], lo[i]) : sprintf("%.0f", lo[i]))
  print line, total, (tilde == total) ? "=" : tilde
}
function again(inode,   n, i, key, name, line, got, words) {
  getline at < "/proc/uptime"; close("/proc/uptime"); sub(/ .*/, "", at)
  n = split(ENVIRON["watched"], key, " ")
  for (i = 1; i <= n; i++) {
    got = (getline line < key[i]) > 0
    close(key[i])
    name = key[i]; sub(/.*\//, "", name); gsub(/[^-0-9,]/, "", line)
    if (got) words = words " " name "=" line
    else if (i == 1) words = " unread"
  }
  print "switch", inode, at words
}
BEGIN {
  S = ENVIRON["SAMPLE"]
  for (a = 1; a < ARGC; a++) {
    cut = index(ARGV[a], "=")
    one(substr(ARGV[a], 1, cut - 1), substr(ARGV[a], cut + 1))
    if (ARGV[a] !~ /self/) continue
    if (length(raw) < 16384) own = raw
    if (S == 2) again(substr(ARGV[a], 1, cut - 1))
  }
  if (ENVIRON["RS"] != "") printf "%s%s", ENVIRON["RS"], own
  exit
}'

# sample 0, 1 or 2. The last one enters each namespace: the switch is seen from within only. And it
# says whether ip_vs is still the module that it was: the folder held open keeps its inode number taken.
sample() {
  [ -n "$tasks$mounts" ] || return 0
  SAMPLE=$1
  [ "$1" != 0 ] || watched=$keys # a name that others use as well
  export SAMPLE watched
  outside=$tasks seen='' told=''
  if [ "$1" = 2 ]; then
    outside='' inside=''
    for task in $tasks; do
      case $able:$task in
        1:*/task/*) inside="$inside $task" ;;
        *) outside="$outside $task" ;;
      esac
    done
  fi
  # shellcheck disable=SC2086 # a list of inode=/proc/N/task/N/net
  [ -z "$outside" ] || seen=$(RS=$rs awk "$sample_awk" $outside)
  case $1 in
    0) held='' && [ -d /sys/module/ip_vs ] && { command exec 9</sys/module/ip_vs; } 2>/dev/null && held=1 ;;
    2)
      enter_tasks
      same_module
      same_namespaces
      ;;
  esac
  set -f
  for line in $mounts; do
    mount_path "${line#*=}"
    one=$(fdinfo=1 && in_netns "$path" sh -c "$sample_there" - "${line%%=*}" "$sample_awk" 2>/dev/null)
    [ -n "$one" ] || [ "$1" != 2 ] || one="moved ${line%%=*}"
    seen="$one$nl$seen"
  done
  IFS=$rs
  # shellcheck disable=SC2086 # split at the separator
  set -- $seen
  set +f
  unset IFS
  counters="$counters$told$1$nl" raw=${2-}
}

# A path of a mount may lead elsewhere by now.
# shellcheck disable=SC2016 # the inner shell's variables
sample_there='[ "$(readlink /proc/self/ns/net)" != "net:[$1]" ] || exec awk "$2" "$1=/proc/self/net"'

# Samples those in $inside from within.
enter_tasks() {
  for task in $inside; do
    dir=${task#*=}
    one=$(nsenter --net="${dir%net}ns/net" awk "$sample_awk" "${task%%=*}=/proc/self/net" 2>/dev/null)
    told="$told${one:-$SAMPLE ${task%%=*} $up unread}$nl"
  done
}

# Adds to $told which namespaces are no longer where they were found: a process may end, or move to
# another namespace, and its number be used again.
same_namespaces() {
  set --
  places=$nl
  set -f
  for place in $inside; do
    path=${place#*=} path=${path%net}ns/net
    set -- "$@" "$path"
    places="$places${place%%=*} $path$nl"
  done
  there=$nl
  [ $# = 0 ] || there=$nl$(stat -Lc '%i %n' "$@" 2>/dev/null)$nl
  IFS=$nl
  for place in $places; do
    case $there in *"$nl$place$nl"*) ;; *) told="${told}moved ${place%% *}$nl" ;; esac
  done
  set +f
  unset IFS
}

same_module() {
  [ -n "$held" ] || return 0
  if [ /proc/self/fd/9 -ef /sys/module/ip_vs ]; then told="${told}module same$nl"; else told="${told}module changed$nl"; fi
  exec 9<&-
}

# Waits until hundredths $1 of uptime.
until_then() {
  hundredths
  left=$(($1 - cs))
  [ "$left" -gt 0 ] || return 0
  part=$((left % 100))
  [ "$part" -gt 9 ] || part=0$part
  sleep "$((left / 100)).$part" 2>/dev/null || sleep $((left / 100 + 1))
}

