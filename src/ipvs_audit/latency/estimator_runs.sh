#!/bin/sh
# Times the estimator's own runs on a Linux host, for some seconds.
#
# Up to Linux 6.1: two probe events on estimation_timer (in kernels that estimate in delayed work on
# estimation_work), in a tracing instance of our own, so that whatever traces there goes on as it was. Needs root, and tracefs mounted. Both are removed when
# this ends, however it ends: by itself, by a watcher in a session of its own where this was killed,
# and by the next run where both were; what could not be removed is said. From 6.2 on: the CPU time
# of the threads ipvs-e:*, which the kernel counts anyway; that reads only.
# Prints one frame, as probe.sh does, and before it an empty line each second: where nobody reads any
# more, that ends it. estimator_script.py fills in the @...@ words.

nonce='@NONCE@'
length='@SECONDS@'
watcher=@WATCHER@
# kB of trace buffer on all CPUs together, and at most on one of them
all=4096
most=256
nl='
'

# @CLEANUP@

uptime() {
  read -r up _ </proc/uptime
}

# Seconds with two decimals since an uptime.
since() {
  uptime
  set -- $((${up%.*}${up#*.} - ${1%.*}${1#*.}))
  printf '%s.%02d' "$(($1 / 100))" "$(($1 % 100))"
}

# How many CPUs a list like 0-3,8 names; 1 for none.
cpus() {
  list=0 count=0
  { read -r list <"/sys/devices/system/cpu/$1"; } 2>/dev/null
  while [ -n "$list" ]; do
    range=${list%%,*}
    case $list in *,*) list=${list#*,} ;; *) list='' ;; esac
    count=$((count + ${range#*-} - ${range%-*} + 1))
  done
  [ "$count" -gt 0 ] || count=1
  printf %s "$count"
}

say() { said="$said$1=$2$nl"; }

# Lets time pass; ends where nobody reads any more, or who started this is gone.
let_pass() {
  passed=0
  while [ "$passed" -lt "$length" ]; do
    sleep 1
    passed=$((passed + 1))
    printf '\n' || exit 1
    read -r stat </proc/$$/stat
    # shellcheck disable=SC2086 # its words
    set -- ${stat##*) }
    [ "$2" = "$PPID" ] || exit 1
  done
}

# Why writing to tracefs may be refused, where the kernel says it.
locked() {
  case $(cat /sys/kernel/security/lockdown 2>/dev/null) in
    *'[confidentiality]'*)
      printf %s '; the kernel is locked down (/sys/kernel/security/lockdown: confidentiality), which nothing but a boot without it can undo'
      ;;
  esac
}

threads() {
  for one in /proc/[0-9]*/comm; do
    IFS= read -r comm <"$one" || continue
    case $comm in ipvs-e:*) ;; *) continue ;; esac
    one=${one%/comm}
    if read -r ran _ <"$one/schedstat"; then
      say "$1" "${one#/proc/} $comm $ran"
    else
      say "$1" "${one#/proc/} $comm -"
    fi
  done 2>/dev/null
}

by_threads() {
  kind=threads
  command="cat /proc/PID/schedstat  # of the threads ipvs-e:*, $length s apart"
  uptime
  began=$up
  threads first
  let_pass
  threads last
  took=$(since "$began")
}

# Where tracefs is mounted. Only where it is nowhere is /sys/kernel/debug/tracing looked into: the
# kernel mounts it there for whoever looks.
find_tracefs() {
  tracing='' debug=''
  while read -r _ place type _; do
    case $type in
      tracefs) [ -n "$tracing" ] || tracing=$place ;;
      debugfs) debug=$place ;;
    esac
  done </proc/mounts
  [ -n "$tracing" ] || [ ! -d "$debug/tracing/instances" ] || tracing=$debug/tracing
}

# Removes what dead runs have left. Only tags of our own form, whose owner would be seen from here.
sweep() {
  tags=$({
    for one in "$tracing"/instances/ipvs_audit_*; do printf '%s\n' "${one##*/}"; done
    sed -nE 's/^[pr][0-9]*:(ipvs_audit_[0-9_]+)\/.*/\1/p' "$tracing/kprobe_events" 2>/dev/null
  } | grep -xE 'ipvs_audit(_[0-9]+){4}' | sort -u | head -n 20)
  for dead in $tags; do
    rest=${dead#ipvs_audit_}
    space=${rest%%_*} rest=${rest#*_}
    pid=${rest%%_*} rest=${rest#*_}
    if [ "$space" != "$spaces" ]; then
      say other "$dead"
    elif [ "$(begun "$pid")" != "${rest%%_*}" ]; then
      take_back "$dead" && say removed "$dead"
    fi
  done
}

# Removes what bears a tag; true where nothing is left, which else is said.
take_back() {
  untrace "$tracing" "$1"
  kept=$(still "$tracing" "$1")
  [ -n "$kept" ] || return 0
  while IFS= read -r each; do say left "$each"; done <<END
$kept
END
  return 1
}

# Memory: making an instance takes the kernel's own size for each CPU that runs, until we say less.
roomy() {
  size=$(tr -dc '0-9 \n' <"$tracing/buffer_size_kb" 2>/dev/null | tr -s ' ' '\n' | sort -n | tail -n 1)
  needed=$((${size:-1408} * $(cpus online)))
  free=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
  [ "$((4 * needed))" -le "${free:-0}" ]
}

set_up() {
  mkdir "$own" 2>/dev/null || return 1
  tidy=yes
  setsid=''
  ! command -v setsid >/dev/null || setsid=setsid
  $setsid sh -c "$watcher" - "$tracing" "$tag" $$ "$start" $((length + 20)) </dev/null >/dev/null 2>&1 &
  watching=$!
  share=$((all / $(cpus possible)))
  [ "$share" -le "$most" ] || share=$most
  [ "$share" -ge 8 ] || share=8
  {
    echo "$share" >"$own/buffer_size_kb" &&
      echo "p:$tag/ipvs_audit_run $symbol" >>"$tracing/kprobe_events" &&
      echo "r:$tag/ipvs_audit_end $symbol" >>"$tracing/kprobe_events" &&
      echo 1 >"$own/events/$tag/enable"
  } 2>/dev/null
}

undo() {
  [ -n "$tidy" ] || return 0
  tidy=''
  take_back "$tag"
  [ -z "$watching" ] || kill "$watching" 2>/dev/null
}

# What was recorded, and how much of it was not.
read_back() {
  echo 0 >"$own/tracing_on"
  said=$said$(sed -nE 's/^.*\[([0-9]{1,5})\] +[^ ]+ +([0-9]+\.[0-9]+): ipvs_audit_(run|end): \(.*$/event=\1 \2 \3/p' "$own/trace" | head -n 2001)$nl
  missed=0 overrun=0
  while read -r what more last; do
    case "$what $more" in
      'overrun: '*) overrun=$((overrun + more)) ;;
      'commit overrun:' | 'dropped events:') missed=$((missed + last)) ;;
    esac
  done <<END
$(cat "$own"/per_cpu/cpu*/stats)
END
  while read -r what _ last; do
    case $what in *ipvs_audit_*) missed=$((missed + last)) ;; esac
  done <"$tracing/kprobe_profile"
  say overrun "$overrun"
  say missed "$missed"
} 2>/dev/null

# One of the kernel's two switches that keep probe events silent: 0, 1, or unknown.
switch() {
  got=unknown
  { read -r got <"$2"; } 2>/dev/null
  case $got in 0 | 1) ;; *) got=unknown ;; esac
  say "$1" "$got"
}

by_probes() {
  if ! roomy; then
    say refused "making a tracing instance would take up to $needed kB for a moment, and $free kB are available: too little to be sure"
    return
  fi
  command="echo 'p:$tag/ipvs_audit_run $symbol' >>$tracing/kprobe_events  # and r:, for $length s, in $own"
  trap undo EXIT
  trap 'exit 1' HUP INT TERM PIPE
  if set_up; then
    kind=$form
    uptime
    began=$up
    let_pass
    took=$(since "$began")
    switch kprobes "${debug:-/sys/kernel/debug}/kprobes/enabled"
    switch ftrace /proc/sys/kernel/ftrace_enabled
    read_back
  else
    say refused "the kernel takes no probe events on $symbol in $own$(locked)"
  fi
  undo
}

main() {
  LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
  export LC_ALL PATH
  unset IFS
  set +e +u +f
  suffix='(\.(isra|constprop|llvm)\.[0-9]+)*'
  command='# nothing was traced' kind=none said='' took=0 tidy='' watching=''
  # A compiler may add to a name: .isra.0, .constprop.0, .llvm.123; .part.0 and .cold are not all of it.
  found=$(grep -oE " [tT] (estimation_timer|estimation_work|ip_vs_estimation_kthread)$suffix([[:space:]]\\[ip_vs\\])?\$" /proc/kallsyms | tr '\t' ' ')
  if grep -qs '^ipvs-e:' /proc/[0-9]*/comm; then
    by_threads
  else
    case $found in
      *estimation_kthread*) by_threads ;;
      *' estimation_work'*) form=work; look ;;
      *' estimation_timer'*) form=timer; look ;;
      *) say refused 'no thread ipvs-e:* runs, and the kernel has no estimation_timer and no estimation_work: ip_vs is not loaded, or another kind' ;;
    esac
  fi
  uptime
  said="kind=$kind${nl}seconds=$took$nl${said}end$nl"
  printf '%s latency.trace - %s %s %s\n%s%s\n' "$nonce" "$up" "${#command}" "${#said}" "$command" "$said"
  printf '%s end 1\n' "$nonce"
}

look() {
  symbol=${found##*" estimation_$form"} symbol=estimation_$form${symbol%%" "*}
  symbol=${symbol%%"$nl"*}
  case $found in *" $symbol [ip_vs]"*) symbol=ip_vs:$symbol ;; esac
  say symbol "$symbol"
  find_tracefs
  if [ "$(id -u)" != 0 ]; then
    say refused 'only root may trace: ansible_become'
  elif [ -z "$tracing" ]; then
    say refused 'tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing'
  elif [ ! -e "$tracing/kprobe_events" ]; then
    say refused 'the kernel has no probe events: it was built without CONFIG_KPROBE_EVENTS'
  elif ! { printf '' >>"$tracing/kprobe_events"; } 2>/dev/null; then
    say refused "$tracing may not be written to$(locked)"
  else
    spaces=$(readlink /proc/self/ns/pid | tr -dc 0-9)
    start=$(begun $$)
    random=$(printf %s "$nonce" | tr -dc 0-9 | head -c 4)
    tag=ipvs_audit_${spaces:-0}_$$_${start}_${random:-0}
    own=$tracing/instances/$tag
    sweep
    by_probes
  fi
}

main </dev/null
