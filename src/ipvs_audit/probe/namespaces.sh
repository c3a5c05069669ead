# shellcheck shell=sh
# The census of network namespaces, and the switch in each.

# One awk over what stat found: which namespaces there are, their names, and their rules.
# shellcheck disable=SC2016 # awk's dollars
census_awk='
function known(inode) { return inode == "" ? 0 : inode } # numbers this large print as 4.02653e+09
function clean(s) { gsub(/[\001-\037\177]/, "?", s); return s }
function rules(dir,   file, line, n) {
  services = "-"; destinations = "-"
  if (ENVIRON["loaded"] != 1) { services = 0; destinations = 0; return 1 }
  file = dir "/ip_vs"; n = 0
  while ((getline line < file) > 0) {
    n++
    if (n == 1 && line !~ /^IP Virtual Server/) break
    if (n == 3) { services = 0; destinations = 0 }
    if (n > 3) { if (line ~ /^ *->/) destinations++; else if (line ~ /^[A-Z]/) services++ }
  }
  close(file)
  return services != "-"
}
function named(task, mount,   file, line, n, i, part, comm, id) {
  if (task != "-") {
    file = task "/cgroup"
    while ((getline line < file) > 0) {
      n = split(line, part, /[^0-9a-f]+/)
      for (i = 1; i <= n; i++) if (length(part[i]) == 64) id = substr(part[i], 1, 12)
    }
    close(file)
    if (id != "") return "container " id
  }
  if (mount ~ /^(\/var)?\/run\/netns\//) { sub(/^.*\/netns\//, "", mount); return "ip netns " mount }
  if (task == "-") return "mount " mount
  file = task "/comm"
  getline comm < file
  close(file)
  split(task, part, "/")
  return "pid " part[3] " (" comm ")"
}
{
  path = substr($0, index($0, " ") + 1); split(path, p, "/")
  if (p[3] == "self") { self[p[5]] = $1; next }
  if ($1 == self["net"]) next
  if (!($1 in task)) { count++; order[count] = $1 }
  if (!($1 in task) || p[3] + 0 < low[$1]) { spare[$1] = task[$1]; task[$1] = "/proc/" p[3] "/task/" p[5]; low[$1] = p[3] + 0 }
  else if (spare[$1] == "") spare[$1] = "/proc/" p[3] "/task/" p[5]
}
END {
  while ((getline line < "/proc/self/mountinfo") > 0) {
    split(line, f, " ")
    if (f[4] !~ /^net:\[[0-9]+\]$/) continue
    inode = substr(f[4], 6, length(f[4]) - 6)
    if (inode == self["net"] || inode in mount) continue
    mount[inode] = f[5]
    if (!(inode in task)) { count++; order[count] = inode; task[inode] = "-" }
  }
  rules("/proc/self/net")
  print "own", known(self["net"]), known(self["pid"]), known(self["user"]), services, destinations
  for (k = 1; k <= count; k++) {
    inode = order[k]; t = task[inode]; m = (inode in mount) ? mount[inode] : "-"
    if (!rules(t "/net") && spare[inode] != "" && rules(spare[inode] "/net")) t = spare[inode]
    print "ns", inode, t, m, services, destinations, clean(named(t, m))
  }
  print "end"
}'

stat_at_once() { stat -Lc '%i %n' "$@"; }
stat_in_parts() { printf '%s\n' "$@" | xargs stat -Lc '%i %n'; }

# census WAY FILE...: sets $found to what stat complained of and what awk says, $own to awk's first line
# (empty where it did not come to its end), and $denied. One stream for both would tear lines apart; so
# stat's errors go past awk, which prints when stat is done.
census() {
  way=$1 own='' denied=0
  shift
  found=$({
    {
      [ "$peek" = 1 ] || exec 2>/dev/null # one for each process of another user
      "$way" "$@" 2>&3
    } | awk "$census_awk"
  } 3>&1)
  case $nl$found in *"${nl}own "*"$nl"end) ;; *) return ;; esac
  set -f
  IFS=$nl
  for line in $found; do
    case $line in
      'own '*) own=$line && break ;;
      *ermission\ denied* | *not\ permitted*) denied=1 ;;
    esac
  done
  unset IFS
  set +f
  case $own in 'own 0 0 0 '*) own='' ;; esac
}

# Finds the namespaces; leaves them in $found, and what the census could not see in $gaps.
find_namespaces() {
  gaps=''
  own_inode=0 own_services=- own_destinations=-
  export loaded
  set -- /proc/self/ns/net /proc/self/ns/pid /proc/self/ns/user /proc/[0-9]*/task/[0-9]*/ns/net
  census stat_at_once "$@"
  # Too many arguments, or a process ended under awk's hands.
  [ -n "$own" ] || census stat_in_parts "$@"
  if [ -z "$own" ]; then
    found=''
    gaps="gap the census of namespaces did not run to its end$nl"
    return
  fi
  # shellcheck disable=SC2086 # its words
  set -- $own
  own_inode=$2 own_services=$5 own_destinations=$6
  [ "$peek" = 1 ] || gaps="${gaps}gap the probe ran as $user and may not look at the namespaces of other users' processes$nl"
  # The first namespaces have fixed numbers (include/linux/proc_ns.h); 0: a kernel without that kind.
  case $3 in 0 | 4026531836) ;; *) gaps="${gaps}gap the probe ran inside a container (pid namespace $3): it sees only the processes there$nl" ;; esac
  case $4 in 0 | 4026531837) ;; *) gaps="${gaps}gap the probe ran inside a user namespace ($4)$nl" ;; esac
  [ "$peek$denied" != 11 ] ||
    gaps="${gaps}gap some processes do not show their namespace even to $user$nl"
}

# read_switch [COMMAND...]: reads the switch, by that command; sets $inside to the words for the netns
# section. By grep: a shell that reads byte by byte gets the first digit only of a file in /proc/sys.
read_switch() {
  # shellcheck disable=SC2086 # the list of keys
  got=$("$@" grep -H '' $keys 2>&1)
  switch_words
}

# Sets $inside from the lines in $got.
switch_words() {
  inside='' unread=''
  IFS=$nl
  for line in $got; do
    case $line in
      "$vs/run_estimation:"*) inside="run_estimation=${line##*:} $inside" ;;
      "$vs/"*:*) line=${line#"$vs/"} inside="$inside${line%%:*}=${line#*:} " ;;
      *grep:*run_estimation*o\ such\ file*) unread=absent ;;
      *grep:*run_estimation*) unread=denied ;;
      *nsenter:*o\ such\ *) unread=gone ;;
      *nsenter:*) unread=unentered ;;
    esac
  done
  unset IFS
  case $inside in
    run_estimation=*) ;;
    *) inside="${inside}unread=${unread:-denied} " ;;
  esac
}

# Escaped by mountinfo: \040 and the like.
mount_path() {
  path=$1
  # shellcheck disable=SC2059 # the escapes are to be understood, per cents are not
  case $path in *\\*) path=$(printf "$(printf %s "$1" | sed 's/%/%%/g')." ) path=${path%.} ;; esac
}

# The host's own line, a line for each other namespace, and where to read the counters of those
# that are sampled: $tasks (through /proc, without entering), $mounts (entered).
namespaces() {
  text='' keys='' tasks='' mounts='' others=0
  for key in est_cpulist estimation_timer_work run_estimation_target; do
    [ -e "$vs/$key" ] && keys="$keys $vs/$key"
  done
  keys="$vs/run_estimation$keys"
  inside='unread=absent '
  [ ! -d "$vs" ] || read_switch
  text="host $own_inode ${inside}services=$own_services destinations=$own_destinations name=host$nl"
  case $own_services:$every in [1-9]* | *:1) tasks="$own_inode=/proc/self/net" ;; esac
  able=1
  [ "$enter" = 1 ] && have nsenter || able=0
  pending=''
  set -f
  IFS=$nl
  for line in $found; do
    unset IFS
    case $line in 'ns '*) ;; *) continue ;; esac
    # shellcheck disable=SC2086 # its words; names come last
    set -- $line
    others=$((others + 1))
    services=$5 destinations=$6
    inside=''
    [ "$3" != - ] || [ "$able$loaded" != 11 ] || enter_mount "$4"
    case $services:$every in
      [1-9]* | *:1) if [ "$3" = - ]; then mounts="$mounts$2=$4 "; else tasks="$tasks $2=$3/net"; fi ;;
    esac
    name=${line#* * * * * * }
    case $inside in
      run_estimation=*) tell_netns "$2" "$services" "$destinations" "$name" ;;
      *) pending="$pending$2 $3 $4 $services $destinations $name$nl" ;;
    esac
  done
  set +f
  unset IFS
}

# What only a mount holds is read in one go, each entering costs: sets $services, $destinations, and
# $inside where the switch was read; where not, values() finds out why.
# shellcheck disable=SC2016 # awk's dollars
mount_awk='
NR == 1 && !/^IP Virtual Server/ { exit }
NR == 3 { s = 0; d = 0 }
NR > 3 { if (/^ *->/) d++; else if (/^[A-Z]/) s++ }
END {
  if (NR > 2) print s + 0, d + 0; else print "- -"
  n = split(ENVIRON["keys"], key, " ")
  for (i = 1; i <= n; i++) while ((getline line < key[i]) > 0) print key[i] ":" line
}'

enter_mount() {
  mount_path "$1"
  got=$(keys=$keys nsenter --net="$path" awk "$mount_awk" /proc/self/net/ip_vs 2>/dev/null)
  case $got in
    [0-9-]*) services=${got%% *} destinations=${got%%"$nl"*} destinations=${destinations#* } ;;
  esac
  switch_words
}

# tell_netns INODE SERVICES DESTINATIONS NAME: a line for the netns section, with $inside.
tell_netns() {
  [ "$2" = - ] || inside="${inside}services=$2 destinations=$3 "
  text="${text}netns $1 ${inside}name=$4$nl"
}

# Whether a list still names this namespace: one that cannot be entered and is listed is not gone, as
# where another mount hides its path.
listed() {
  grep -qsF " net:[$1] " /proc/self/mountinfo ||
    stat -Lc '%i' /proc/[0-9]*/task/[0-9]*/ns/net 2>/dev/null | grep -qx "$1"
}

# Enters each of the other namespaces found; after the first sample, so that the wait covers it.
values() {
  set -f
  IFS=$nl
  for entry in $pending; do
    unset IFS
    # shellcheck disable=SC2086 # its words
    set -- $entry
    if [ "$loaded" = 0 ]; then inside='unread=absent '
    elif [ "$able" = 0 ]; then inside='unread=unentered '
    else
      inside='unread=gone '
      [ "$2" = - ] || read_switch nsenter --net="$2/ns/net"
      case $inside:$3 in
        unread=gone\ :-) # the processes ended; others may be there still
          again=$(stat -Lc '%i %n' /proc/[0-9]*/task/[0-9]*/ns/net 2>/dev/null | grep "^$1 ")
          again=${again%%"$nl"*}
          [ -z "$again" ] || read_switch nsenter --net="${again#* }"
          ;;
        unread=gone*)
          mount_path "$3"
          read_switch nsenter --net="$path"
          ;;
      esac
      case $inside in unread=gone*) ! listed "$1" || inside='unread=unentered ' ;; esac
    fi
    tell_netns "$1" "$4" "$5" "${entry#* * * * * }"
  done
  set +f
  unset IFS
  [ "$others:$able" = 0:0 ] || [ "$able" = 1 ] || [ "$loaded" = 0 ] ||
    gaps="${gaps}gap the probe could not enter the other namespaces (it ran as $user; nsenter: $(command -v nsenter || echo missing))$nl"
  frame netns - "stat -Lc '%i %n' /proc/[0-9]*/task/[0-9]*/ns/net; cat /proc/self/mountinfo; nsenter --net=/proc/PID/ns/net cat $vs/run_estimation; cat /proc/PID/net/ip_vs" "$text${gaps}end$nl"
}

