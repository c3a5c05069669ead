#!/bin/sh
# What ipvs-audit runs on a host to carry out a plan (apply.sh) or to undo one (undo.sh), at @PARTS@ below.
# script.py fills in the other @...@ words. All of it stands in functions, so that a script which was
# cut on its way does nothing.
#
# Answers, one a line: `NONCE step NUMBER WORD TEXT`, `NONCE note WORD TEXT`, at the end `NONCE end`.
# Kept on the host, for root only, in /var/lib/ipvs-audit:
#   lock              a link whose target names the process that holds it
#   journal           who ran what, when; only ever appended to
#   RUN/manifest      the steps: `file N BEFORE AFTER PATH`, `value N INODE BEFORE AFTER own|other NAME`,
#                     and `boot ID`, the boot that namespaces' numbers belong to, the host's own as well
#   RUN/journal       `begin N`, `done N`, `undone N`: each step's way; only ever appended to
#   RUN/file.N        the file as it was, with owner, mode, times, ACL and label
#   RUN/directory.N   an empty file with the directory's times

nonce='@NONCE@'
run='@RUN@'
who='@WHO@'
host='@HOST@' # its name in the inventory: a machine may have several
by='@BY@'             # whose run it is that is undone
patience='@PATIENCE@' # seconds to wait for the lock
halt='@HALT@'         # die at this point: only the tests' fault sweep sets it
state='@STATE@'
rundir=$state/$run
key=/proc/sys/net/ipv4/vs/run_estimation
leftover=.ipvs-audit.new. # what new files are called until they are whole
points=0 stop=0 broken=0 locked='' handles='' listed=0
nl='
'

say() { printf '%s %s\n' "$nonce" "$*"; }

point() {
  points=$((points + 1))
  [ "$halt" != "$points" ] || kill -9 $$
}

# To the disk: the one file or directory where this sync can, else everything.
settle() { sync "$1" 2>/dev/null || sync; }

sum() {
  got=$(sha256sum <"$1" 2>/dev/null)
  got=${got%% *}
}

# Owner, mode, whether it has an ACL, and label: what a copy has to keep beside the content.
# shellcheck disable=SC2012 # its mode column tells of an ACL (+), in every ls
facts() { ls -ldn "$1" | awk '{ print $1, $3, $4 }'; stat -c %C "$1" 2>/dev/null; }

shared() { printf '%s' "give $culprit to root alone (owner root, chmod go-w): users other than root can write there"; }

# new_file PATH: an empty file beside it, under a name that nobody can guess, where only root writes: a
# link that waits under a known name would lead root elsewhere. Sets $new, or $why.
new_file() {
  new='' why="$1: no new file could be created beside it"
  only_root_writes "${1%/*}" || { why="$(shared), so root does not write to ${1%/*}"; return 1; }
  rm -f "${1%/*}/$leftover"*
  new=$(mktemp "${1%/*}/${leftover}XXXXXXXXXX" 2>/dev/null) && [ ! -L "$new" ] &&
    case $(stat -c '%u:%A:%h' "$new") in 0:-rw-------:1) ;; *) return 1 ;; esac
}

log() { # FILE TEXT
  printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$2" >>"$1" || return 1
  settle "$1"
}

# Sets $made, who made the run, and $name, the name of this machine for him.
read_who() {
  made='' name=''
  [ ! -f "$rundir/who" ] || { IFS= read -r made && IFS= read -r name; } <"$rundir/who"
}

# --- the lock

alive() { # PID.START.BOOT.RUN
  pid=${1%%.*} rest=${1#*.}
  { read -r line <"/proc/$pid/stat"; } 2>/dev/null || return 1
  # shellcheck disable=SC2086 # its words
  set -- ${line##*) }
  [ "${20}.$boot" = "${rest%.run-*}" ]
}

take_lock() {
  read -r boot </proc/sys/kernel/random/boot_id
  read -r line <"/proc/$$/stat"
  # shellcheck disable=SC2086 # its words
  set -- ${line##*) }
  mine=$$.${20}.$boot.run-$run waited=0
  until ln -s "$mine" "$state/lock" 2>/dev/null; do
    owner=$(readlink "$state/lock")
    if [ -n "$owner" ] && ! alive "$owner" && succeed "$owner"; then
      say note stale "took over the lock of ${owner##*.run-}, whose process has ended"
      break
    fi
    [ "$waited" -lt "$patience" ] || return 1
    waited=$((waited + 1))
    sleep 1
  done
  locked=$mine
}

# Follow a dead owner. Of all that see it dead one comes to make the link that names it; a successor that
# died in its turn is followed likewise. The lock is never free meanwhile.
succeed() {
  successor=$state/lock.after.$1
  until ln -s "$mine" "$successor" 2>/dev/null; do
    after=$(readlink "$successor")
    if [ -z "$after" ] || alive "$after"; then return 1; fi
    successor=$state/lock.after.$after
  done
  if [ "$(readlink "$state/lock")" = "$1" ] && ln -s "$mine" "$state/lock.$$" && mv -f "$state/lock.$$" "$state/lock"; then
    rm -f "$state"/lock.after.*
    return 0
  fi
  rm -f "$successor" "$state/lock.$$"
  return 1
}

release_lock() {
  [ -n "$locked" ] && [ "$(readlink "$state/lock")" = "$locked" ] && rm -f "$state/lock"
}

prepare() {
  LC_ALL=C
  PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:$PATH
  export LC_ALL PATH
  unset IFS
  unset TIME_STYLE # one that ls does not know ends it
  set +e +u +f +C
  umask 077
  # A lost connection ends no step half-way; TERM, sent when the time is up, ends the run between two steps.
  trap '' HUP PIPE INT
  trap 'stop=1' TERM
  trap release_lock EXIT
  for tool in awk cat chmod cp date ln ls mkdir mktemp mv readlink rm sha256sum stat sync touch; do
    command -v "$tool" >/dev/null || { say note blocked "$tool is missing on this host"; return 1; }
  done
  # Not before it is known whose the place is: a link there could lead anywhere.
  for place in "${state%/*}" "$state"; do
    [ "$place" != "$state" ] || [ -d "$state" ] || mkdir -m 700 "$state" 2>/dev/null || {
      say note blocked "$state cannot be created"
      return 1
    }
    only_root_writes "$place" || { say note blocked "$(shared), so backups in $state are not safe"; return 1; }
  done
  chmod 700 "$state" 2>/dev/null
  # A pipe would never end, a link lead elsewhere, and a folder take any number of locks.
  if [ -L "$state/journal" ] || { [ -e "$state/journal" ] && [ ! -f "$state/journal" ]; }; then
    say note blocked "move $state/journal away: it is no regular file"
    return 1
  fi
  if [ -e "$state/lock" ]; then
    say note blocked "move $state/lock away: it is not the lock of a run"
    return 1
  fi
  if ! take_lock; then
    if [ -n "$owner" ]; then
      say note locked "another run is in progress on this host: ${owner##*.run-}, process ${owner%%.*}"
    else
      say note blocked "the lock cannot be created in $state (disk full?)"
    fi
    return 1
  fi
}

# --- running values

# Two tasks of a namespace at most, and its mounts in whatever mount namespace; as the probe finds them.
# shellcheck disable=SC2016 # awk's dollars
handles_awk='
{
  path = substr($0, index($0, " ") + 1); split(path, p, "/")
  if (p[4] == "ns") { self[p[3] p[5]] = $1; next }
  task = "/proc/" p[3] "/task/" p[5]
  if (p[7] == "mnt") mount_task($1, task, order_of(p))
  else if (++found[$1] <= 2) print
}
END {
  find_mounts(self["selfmnt"])
  for (inode in ways) {
    n = split(ways[inode], way, "\t")
    for (i = 1; i <= n; i++) print inode, way[i]
  }
}'

# Sets $handles: an inode and a way into it, one a line, for every namespace. By xargs: the tasks of a busy
# host are more than fit on one command line.
list_handles() {
  listed=$((listed + 1))
  # shellcheck disable=SC2086,SC2154 # patterns; of mount_namespaces.sh
  handles=$(printf '%s\n' $namespace_files | xargs stat -Lc '%i %n' 2>/dev/null | awk "$mounts_awk$handles_awk")
}

# try_handles INODE FROM TO: sets $result, by the first handle that leads there; $known is 1 where the
# list has any. By a loop: ${handles#*...} takes dash a time that grows with the square of the list.
try_handles() {
  result=gone known=0
  set -f
  IFS=$nl
  for line in $handles; do
    case $line in "$1 "*) ;; *) continue ;; esac
    unset IFS
    known=1
    mount_path "${line#* }"
    result=$(in_netns "$path" sh -c "$in_namespace" - "$1" "$2" "$3" "$key" "$swap_awk" 2>/dev/null)
    case $? in 124 | 143) stuck=1 ;; esac
    case $result in gone | '') ;; *) break ;; esac
  done
  unset IFS
  set +f
}

# Runs in the namespace: inode (any for the session's own), the value to replace, the value to write, the
# key's file, and $swap_awk. Few processes: a host may have hundreds of namespaces.
# shellcheck disable=SC2016 # the inner shell's variables
in_namespace='
[ "$1" = any ] || [ "$(readlink /proc/self/ns/net)" = "net:[$1]" ] || { echo gone; exit; }
if [ ! -e "$4" ]; then
  [ -d /proc/sys/net/ipv4 ] && [ -e /proc/self/net/dev ] || { echo unseen; exit; }
  [ -e /proc/self/net/ip_vs ] && echo absent || echo unloaded
  exit
fi
awk "$5" "$2" "$3" "$4" || echo refused'

# By awk: a shell that reads byte by byte gets the first digit only of a file in /proc/sys. A key that
# cannot be opened for writing ends awk with a failure. "" makes strings of what looks like numbers.
# shellcheck disable=SC2016 # awk's dollars
swap_awk='BEGIN {
  from = ARGV[1] ""; to = ARGV[2] ""; key = ARGV[3]
  if ((getline was < key) < 1) { print "refused"; exit }
  close(key)
  if (was "" == to) { print "already"; exit }
  if (was "" != from) { print "changed", was; exit }
  print to > key
  if (close(key) != 0) { print "refused"; exit }
  getline now < key
  print (now "" == to) ? "set" : "reset"
}'

# set_value INODE FROM TO own|other: sets $result.
set_value() {
  if [ "$4" = own ]; then
    result=$(sh -c "$in_namespace" - "$1" "$2" "$3" "$key" "$swap_awk" 2>/dev/null)
    # Where this session has another namespace than the one that was collected, that may be there still.
    [ "$result" = gone ] || return
  fi
  for tool in nsenter xargs; do
    command -v "$tool" >/dev/null || { result="missing $tool"; return; }
  done
  [ "$listed" != 0 ] || list_handles
  try_handles "$1" "$2" "$3"
  case $result in gone | '') ;; *) return ;; esac
  # Its process may have ended, and others be there still.
  list_handles
  try_handles "$1" "$2" "$3"
  # Gone only where no list names it any more; one that is there and was not entered is not done.
  case $known$result in 1gone | 1) result=unentered ;; esac
}

# say_value NUMBER UNLOADED: what became of a value; UNLOADED is the word where ip_vs is not loaded.
say_value() {
  case $result in
    set) say step "$1" set ;;
    already) say step "$1" already "it already had the value" ;;
    gone) say step "$1" gone "the namespace has ended: nothing to set" ;;
    unloaded) say step "$1" "$2" "ip_vs is not loaded: there is no value" ;;
    absent) say step "$1" refused "the kernel shows no key there" ;;
    unseen) say step "$1" failed "/proc/sys/net or /proc/net cannot be seen there" ;;
    reset) say step "$1" refused "it was set, and something else reset it at once" ;;
    changed*) say step "$1" changed "it now has another value: ${result#changed }" ;;
    missing*) say step "$1" failed "${result#missing } is missing on this host: other namespaces cannot be entered" ;;
    unentered) say step "$1" failed "the namespace is there and cannot be entered" ;;
    *) say step "$1" refused "root may not write it there (a user namespace owns it, or /proc/sys is read-only)" ;;
  esac
}

# @PARTS@

main() {
  @ACTION@
  say end "$points"
}

main </dev/null
