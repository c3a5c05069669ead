#!/bin/sh
# The probe of ipvs-audit: what it asks a Linux host, in one go. It only reads, makes no files, and
# leaves no process behind. Runs in any POSIX sh (dash, bash, busybox ash), as root or not; what it
# could not see it says in `blind` and `gap` lines.
#
# It prints frames: `NONCE name status uptime command-length output-length`, a newline, the command
# and the output of exactly those lengths, a newline; at the end `NONCE end number-of-frames`.
# script.py puts it together from the files of this folder, at the @PARTS@ below, fills in the other
# @...@ words, and takes comments and indentation away.

nonce='@NONCE@'  # 128 random bits, so that no content can pose as a frame
span='@SPAN@'    # hundredths of a second between the first and the last sample
every='@EVERY@'  # 1: sample the namespaces without IPVS rules too
vs=/proc/sys/net/ipv4/vs
frames=0 notes='' counters='' t0=''
rs='@RS@' # the record separator, which no text that is taken apart at it holds
nl='
'

# The first line of a file, without a fork.
get() {
  got=''
  [ -r "$1" ] || return 1
  { IFS= read -r got <"$1"; } 2>/dev/null
  [ -n "$got" ]
}

now() {
  get /proc/uptime
  up=${got%% *}
}

hundredths() {
  now
  cs=${up%.*}${up#*.}
}

blind() { notes="${notes}blind=$1$nl"; }

have() { command -v "$1" >/dev/null 2>&1; }

# frame NAME STATUS COMMAND OUTPUT; what is longer than 1 MiB is cut, and its parser will say so.
frame() {
  out=$4
  [ "${#out}" -le 1048576 ] || out="$(printf %s "$out" | head -c 1048576)${nl}[cut]"
  frames=$((frames + 1))
  now
  printf '%s %s %s %s %s %s\n%s%s\n' "$nonce" "$1" "$2" "$up" "${#3}" "${#out}" "$3" "$out"
}

editable_files() { :; } # editable_files.sh takes its place where a plan is wanted

# @PARTS@

main() {
  LC_ALL=C
  PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:$PATH
  export LC_ALL PATH
  unset IFS
  set +e +u +f
  who
  processes
  host
  module
  find_namespaces
  namespaces
  hundredths
  t0=$cs
  sample 0
  first=$raw
  values
  config
  loaders
  programs
  asked
  next_boot
  late_writers
  tell_readers
  editable_files
  if [ -n "$tasks$mounts" ]; then
    until_then $((t0 + span - 310))
    sample 1
    hundredths
    [ $((cs + 305)) -gt $((t0 + span)) ] && span=$((cs + 305 - t0))
    until_then $((t0 + span))
    sample 2
    command='cat /proc/net/ip_vs_stats /proc/net/ip_vs_stats_percpu'
    [ -z "$first" ] || frame stats.0 - "$command" "$first"
    [ -z "$raw" ] || frame stats.2 - "$command" "$raw"
    frame counters - 'awk: column sums of /proc/PID/net/ip_vs_stats_percpu, and /proc/PID/net/ip_vs_stats, three times' "${counters}end$nl"
  fi
  get /proc/self/stat
  # shellcheck disable=SC2086 # its words; user and system time, own and children's
  set -- ${got##*) }
  frame identity - 'id; command -v awk stat sha256sum nsenter' "uid=$uid${nl}user=$user${nl}sudo-user=${SUDO_USER-}${nl}shell=${BASH_VERSION:+bash $BASH_VERSION}${nl}ticks=$((${12} + ${13} + ${14} + ${15}))$nl$notes"
  printf '%s end %s\n' "$nonce" "$frames"
}

main </dev/null
