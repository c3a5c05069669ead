# shellcheck shell=sh
# The census: which network namespaces there are, what people call them, and their rules.

# One awk over what stat found. What it could not see it says in gap lines; hidden lines tell of places
# that cannot be looked into, where a namespace could be kept.
# shellcheck disable=SC2016 # awk's dollars
census_awk='
function known(inode) { return inode == "" ? 0 : inode } # numbers this large print as 4.02653e+09
function clean(s) { s = substr(s, 1, 300); gsub(/[\001-\037\177]/, "?", s); return s }
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
# Sets box (container or pod), unit, and who (pid N and its command).
function holder(task,   file, line, n, i, part, id, pod) {
  id = ""; pod = ""; unit = ""
  file = task "/cgroup"
  while ((getline line < file) > 0) {
    n = split(line, part, /[^0-9a-f]+/)
    for (i = 1; i <= n; i++) if (length(part[i]) == 64) id = substr(part[i], 1, 12)
    if (line ~ /kubepods/ && match(line, /pod[0-9a-f][0-9a-f_-]+/) && RLENGTH >= 35) {
      pod = substr(line, RSTART + 3, RLENGTH - 3)
      gsub(/_/, "-", pod)
    }
    n = split(line, part, "/")
    for (i = n; i > 1; i--) if (part[i] ~ /.\.service$/) { unit = part[i]; break }
  }
  close(file)
  box = (id == "") ? "" : "container " id
  if (pod != "") box = "pod " pod ((box == "") ? "" : " (" box ")")
  line = "?"
  file = task "/comm"
  getline line < file
  close(file)
  split(task, part, "/")
  pid = part[3]; comm = line
}
function named(inode, task,   place, path) {
  box = ""; unit = ""
  if (task != "-") {
    holder(task)
    if (box != "") return box
  }
  if (inode in mount) {
    place = mount[inode]
    path = place
    if (path ~ /^(\/var)?\/run\/netns\//) { sub(/^.*\/netns\//, "", path); place = "ip netns " path }
    else place = (task == "-") ? "mount " place : ""
    if (place != "") {
      if (owner[inode] != "") place = place " (mount namespace of " whose(owner[inode]) ")"
      return place
    }
  }
  return (unit != "") ? "unit " unit : "pid " pid " (" comm ")"
}
function whose(task) {
  holder(task)
  return (box != "") ? box : "pid " pid ", " ((unit != "") ? unit : comm)
}
function tell_unseen(   line, f, n, i, running) {
  # The first namespaces have fixed numbers (include/linux/proc_ns.h); 0: a kernel without that kind.
  n = known(("1pid" in self) ? self["1pid"] : self["selfpid"])
  if (n != 0 && n != 4026531836) print "gap the probe ran inside a container (pid namespace " n "): it sees only the processes there"
  n = known(self["selfuser"])
  if (n != 0 && n != 4026531837) print "gap the probe ran inside a user namespace (" n ")"
  line = ""
  getline line < "/proc/loadavg"
  split(line, f, " ")
  if (split(f[4], running, "/") != 2) print "gap /proc/loadavg cannot be read: whether /proc shows every task is not known"
  else if (running[2] > ENVIRON["seen"] * 4 / 3 + 64)
    print "gap /proc shows " ENVIRON["seen"] " of the " running[2] " tasks of this kernel (" proc_options "): it hides some, or is that of a container"
  if (unlisted > 0) print "gap " unlisted " mount namespaces, or the rest of one that holds more mounts than any, were not looked at"
  for (i = 1; i <= narrows && i <= 5; i++) print "hidden the mount namespace of " clean(whose(narrow[i])) " is seen from a chroot only"
  if (narrows > 5) print "hidden " narrows - 5 " more mount namespaces are seen from a chroot only"
  for (i = 1; i <= keepers && i <= 5; i++) print "hidden the mount namespace at " clean(kept[i]) " has no process to look through"
  if (keepers > 5) print "hidden " keepers - 5 " more mount namespaces have no process to look through"
}
{
  path = substr($0, index($0, " ") + 1); split(path, p, "/")
  if (p[4] == "ns") { self[p[3] p[5]] = $1; next }
  t = "/proc/" p[3] "/task/" p[5]; r = order_of(p)
  if (p[7] == "mnt") { mount_task($1, t, r); next }
  if ($1 == self["selfnet"]) next
  if (!($1 in task)) { count++; order[count] = $1 }
  if (!($1 in task) || r < low[$1]) { spare[$1] = task[$1]; task[$1] = t; low[$1] = r }
  else if (spare[$1] == "") spare[$1] = t
}
END {
  find_mounts(self["selfmnt"])
  for (inode in mount) if (!(inode in task) && inode != self["selfnet"]) { count++; order[count] = inode; task[inode] = "-" }
  tell_unseen()
  rules("/proc/self/net")
  print "own", known(self["selfnet"]), services, destinations
  for (k = 1; k <= count; k++) {
    inode = order[k]; t = task[inode]
    if (!rules(t "/net") && spare[inode] != "" && rules(spare[inode] "/net")) t = spare[inode]
    print "ns", inode, t, (inode in ways) ? ways[inode] : "-", services, destinations, clean(named(inode, t))
  }
  print "end"
}'

stat_at_once() { stat -Lc '%i %n' "$@"; }
stat_in_parts() { printf '%s\n' "$@" | xargs stat -Lc '%i %n'; }

# Prints of the tasks that came since $newest: of a process that keeps forking, the one that stat was asked
# for may have ended. Twice, and only where stat missed some; what lives shorter than that is not seen.
look_again() {
  for _ in 1 2; do
    before=$newest
    read_newest
    [ "$newest" -ge "$before" ] || before=0 # the numbers began anew
    set --
    for task in /proc/[0-9]*/task/[0-9]*; do
      [ "${task##*/}" -le "$before" ] || set -- "$@" "$task/ns/net" "$task/ns/mnt"
    done
    if [ $# = 0 ] || stat -Lc '%i %n' "$@"; then return; fi
  done
}

# The number of the last task that was made.
read_newest() {
  get /proc/loadavg
  newest=${got##* }
  case $newest in '' | *[!0-9]*) newest=4194304 ;; esac
}

# census WAY FILE...: sets $found to what stat complained of and what awk says, $own to awk's line for
# this namespace (empty where it did not come to its end), $unseen and $denied. One stream for both would
# tear lines apart; so stat's errors go past awk, which prints when stat is done.
census() {
  way=$1 own='' unseen='' denied=0
  shift
  seen=$(($# / 2)) # two files for each task
  export seen
  found=$({
    {
      [ "$peek" = 1 ] || exec 2>/dev/null # one for each process of another user
      "$way" "$@" 2>&3 || look_again 2>/dev/null
    } | awk "$mounts_awk$census_awk"
  } 3>&1)
  case $nl$found in *"${nl}own "*"$nl"end) ;; *) return ;; esac
  set -f
  IFS=$nl
  for line in $found; do
    case $line in
      'own '*) own=$line && break ;;
      'gap '* | 'hidden '*) unseen=$unseen$line$nl ;;
      *ermission\ denied* | *not\ permitted*) denied=1 ;;
    esac
  done
  unset IFS
  set +f
  case $own in 'own 0 '*) own='' ;; esac
}

# Finds the namespaces; leaves them in $found, and what the census could not see in $gaps.
find_namespaces() {
  gaps=''
  own_inode=0 own_services=- own_destinations=-
  export loaded
  read_newest
  set -- /proc/[0-9]*/task/[0-9]*/ns/net
  spaces=${namespace_files##* }
  if [ $# -le 1000 ]; then # a second look into each process for its mount namespace costs more than its name
    spaces=''
    for file; do spaces="$spaces ${file%net}mnt"; done
  fi
  # shellcheck disable=SC2086 # patterns
  set -- ${namespace_files%%/proc/\[*} "$@" $spaces
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
  own_inode=$2 own_services=$3 own_destinations=$4
  gaps=$unseen
  [ "$peek" = 1 ] || gaps="${gaps}gap the probe ran as $user and may not look at the namespaces of other users' processes$nl"
  [ "$peek$denied" != 11 ] ||
    gaps="${gaps}gap some processes do not show their namespace even to $user$nl"
}
