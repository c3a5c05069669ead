# shellcheck shell=sh
# The switch in each namespace, and its rules as they are seen from within.

# read_switch: reads the host's own switch; sets $inside to the words for the netns section. By grep: a
# shell that reads byte by byte gets the first digit only of a file in /proc/sys.
read_switch() {
  # shellcheck disable=SC2086 # the list of keys
  got=$(grep -H '' $keys 2>&1)
  switch_words
}

# Sets $inside from the lines in $got.
switch_words() {
  inside='' unread=''
  IFS=$nl
  for word in $got; do
    case $word in
      "$vs/run_estimation:"*) inside="run_estimation=${word##*:} $inside" ;;
      "$vs/"*:*) word=${word#"$vs/"} inside="$inside${word%%:*}=${word#*:} " ;;
      *grep:*run_estimation*o\ such\ file*) unread=absent ;;
      *grep:*run_estimation*) unread=denied ;;
      *nsenter:*) unread=unentered ;;
    esac
  done
  unset IFS
  case $inside in
    run_estimation=*) ;;
    *) inside="${inside}unread=${unread:-denied} " ;;
  esac
}

# What is read in a namespace, in one go: each entering costs. First the number of the namespace that
# was opened as file 8, which kernels from 5.14 tell in fdinfo.
# shellcheck disable=SC2016 # awk's dollars
inside_awk='BEGIN {
  if (ENVIRON["fdinfo"] == 1) {
    inode = "-"
    while ((getline line < "/proc/self/fdinfo/8") > 0) if (line ~ /^ino:/) { inode = line; sub(/^ino:[ \t]*/, "", inode) }
    print inode
  }
  services = "-"; destinations = "-"
  while ((getline line < "/proc/self/net/ip_vs") > 0) {
    if (++lines == 1 && line !~ /^IP Virtual Server/) break
    if (lines == 3) { services = 0; destinations = 0 }
    if (lines > 3) { if (line ~ /^ *->/) destinations++; else if (line ~ /^[A-Z]/) services++ }
  }
  print services, destinations
  n = split(ENVIRON["keys"], key, " ")
  for (i = 1; i <= n; i++) while ((getline line < key[i]) > 0) print key[i] ":" line
  exit
}'

# opened COMMAND...: runs it in the namespace at $path; sets $got to the number of that namespace and
# what was said.
opened() {
  got=$(in_netns "$path" "$@" 2>&1)
  case $? in 124 | 143) stuck=1 ;; esac
}

# enter_netns INODE TASK WAYS: reads in the namespace; sets $inside, $services and $destinations, and
# $entered to a way into it. Fails where no way leads there.
enter_netns() {
  inode=$1 entered=''
  ways=$3
  [ "$2" = - ] || ways="$2/ns/net$tab$3"
  IFS=$tab
  for way in $ways; do
    unset IFS
    [ "$way" != - ] || continue
    mount_path "$way"
    opened awk "$inside_awk"
    case $got in "-$nl"* | nsenter*) fdinfo=0 && opened awk "$inside_awk" ;; esac
    case $got in "$inode$nl"*) entered=$way && break ;; esac
  done
  unset IFS
  [ -n "$entered" ] || return
  got=${got#*"$nl"}
  case $got in
    [0-9]*) services=${got%% *} destinations=${got%%"$nl"*} destinations=${destinations#* } ;;
  esac
  switch_words
  case $inside in
    *unread=denied*) # or absent
      fdinfo=0
      # shellcheck disable=SC2086 # the list of keys
      opened grep -H '' $keys
      case $got in "$inode$nl"*) switch_words ;; esac
      ;;
  esac
}

# after N WORD...: sets $rest to the words but for the first N - 1. Not by ${x#* * }: the time that this takes a shell
# grows with the square of a path's length, and any user may mount at long ones.
after() {
  shift "$1"
  rest=$*
}

# The host's own line, a line for each other namespace that only a mount holds, $pending for the rest,
# and where to read the counters of those that are sampled: $tasks (through /proc, without entering),
# $mounts (entered).
namespaces() {
  text='' keys='' tasks='' mounts='' others=0
  for key in est_cpulist estimation_timer_work run_estimation_target; do
    [ -e "$vs/$key" ] && keys="$keys $vs/$key"
  done
  keys="$vs/run_estimation$keys"
  fdinfo=1
  export keys fdinfo
  inside='unread=absent '
  [ -d /proc/sys/net ] || inside='unread=denied '
  [ ! -d "$vs" ] || read_switch
  text="host $own_inode ${inside}services=$own_services destinations=$own_destinations name=host$nl"
  case $own_services:$every in [1-9]* | *:1) tasks="$own_inode=/proc/self/net" ;; esac
  able=1
  [ "$enter" = 1 ] && have nsenter || able=0
  pending=''
  set -f
  IFS=$nl
  for line in $found; do
    case $line in 'ns '*) ;; *) continue ;; esac
    IFS=' '
    # shellcheck disable=SC2086 # its words; names come last
    set -- $line
    others=$((others + 1))
    services=$5 destinations=$6
    after 7 "$@"
    name=$rest
    entered=''
    [ "$3" != - ] || [ "$able$loaded" != 11 ] || ! may_enter || enter_netns "$2" "$3" "$4"
    case $services:$every in
      [1-9]* | *:1)
        if [ "$3" != - ]; then tasks="$tasks $2=$3/net"
        elif [ -n "$entered" ]; then mounts="$mounts$2=$entered "
        fi
        ;;
    esac
    if [ -n "$entered" ]; then tell_netns "$2" "$services" "$destinations" "$name"
    else pending="$pending$2 $3 $4 $services $destinations $name$nl"
    fi
  done
  set +f
  unset IFS
}

# Each entering costs a host some 2 ms: not in endless number.
left_to_enter=1000
tab='	'
may_enter() {
  left_to_enter=$((left_to_enter - 1))
  [ "$left_to_enter" -ge 0 ]
}

# tell_netns INODE SERVICES DESTINATIONS NAME: a line for the netns section, with $inside.
tell_netns() {
  [ "$2" = - ] || inside="${inside}services=$2 destinations=$3 "
  text="${text}netns $1 ${inside}name=$4$nl"
}

# values_of LIST: enters each namespace of a list; those that no way leads to any more are in $lost.
values_of() {
  lost=''
  set -f
  IFS=$nl
  for entry in $1; do
    IFS=' '
    # shellcheck disable=SC2086 # its words
    set -- $entry
    services=$4 destinations=$5
    if [ "$loaded" = 0 ]; then inside='unread=absent '
    elif [ "$able" = 0 ] || ! may_enter; then inside='unread=unentered '
    elif ! enter_netns "$1" "$2" "$3"; then
      lost=$lost$entry$nl
      continue
    fi
    after 6 "$@"
    tell_netns "$1" "$services" "$destinations" "$rest"
  done
  set +f
  unset IFS
}

# Enters the other namespaces; after the first sample, so that the wait covers it. Where no way leads to
# one any more, the census is made again: only what no list names any more is gone. Another mount may
# hide the path of one that is there.
values() {
  values_of "$pending"
  if [ -n "$lost" ]; then
    pending='' before=$gaps ended=''
    find_namespaces
    set -f
    IFS=$nl
    # shellcheck disable=SC2016 # awk's dollars
    for entry in $(printf '%s\n' "$found" "$lost" | awk '
      /^ns / { inode = $2; sub(/^ns [^ ]* /, ""); now[inode] = $0 }
      /^[0-9]/ { if ($1 in now) print "there", $1, now[$1]; else print "gone", $0 }'); do
      case $entry in
        there*) pending=$pending${entry#there }$nl ;;
        *) ended=$ended${entry#gone }$nl ;;
      esac
    done
    unset IFS
    [ -n "$own" ] || pending=$lost ended=''
    gaps=$before
    values_of "$pending"
    tell_lost unentered "$lost"
    tell_lost gone "$ended"
  fi
  [ "$others:$able" = 0:0 ] || [ "$able" = 1 ] || [ "$loaded" = 0 ] ||
    gaps="${gaps}gap the probe could not enter the other namespaces (it ran as $user; nsenter: $(command -v nsenter || echo missing))$nl"
  [ "$left_to_enter" -ge 0 ] || gaps="${gaps}gap the probe enters no more than 1000 network namespaces$nl"
  frame netns - "stat -Lc '%i %n' /proc/[0-9]*/task/[0-9]*/ns/net /proc/[0-9]*/task/[0-9]*/ns/mnt; cat /proc/PID/mountinfo; nsenter --net=/proc/PID/ns/net cat $vs/run_estimation /proc/net/ip_vs" "$text${gaps}end$nl"
}

# tell_lost WORD LIST
tell_lost() {
  IFS=$nl
  for entry in $2; do
    IFS=' '
    # shellcheck disable=SC2086 # its words
    set -- "$1" "$2" $entry
    inside="unread=$1 "
    after 8 "$@"
    tell_netns "$3" "$6" "$7" "$rest"
  done
  unset IFS
  set +f
}
