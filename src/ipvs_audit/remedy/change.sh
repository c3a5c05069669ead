#!/bin/sh
# What ipvs-audit runs on a host to do a plan, or to undo one. script.py fills in the @...@ words.
# All of it stands in functions, so that a script which was cut on its way does nothing.
#
# Answers, one a line: `NONCE step NUMBER WORD TEXT`, `NONCE note WORD TEXT`, at the end `NONCE end`.
# Kept on the host, for root only, in /var/lib/ipvs-audit:
#   lock              a link whose target names the process that holds it
#   journal           who ran what, when; only ever appended to
#   RUN/manifest      the steps: `file N BEFORE AFTER PATH`, `live N INODE BEFORE AFTER own|other NAME`
#   RUN/journal       `begin N`, `done N`: each step's way; only ever appended to
#   RUN/file.N        the file as it was, with owner, mode, times, ACL and label
#   RUN/directory.N   an empty file with the directory's times

nonce='@NONCE@'
run='@RUN@'
who='@WHO@'
patience='@PATIENCE@' # seconds to wait for the lock
halt='@HALT@'         # die at this point: only the tests' fault sweep sets it
state='@STATE@'
home=$state/$run
key=/proc/sys/net/ipv4/vs/run_estimation
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

log() { # FILE TEXT
  printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$2" >>"$1" || return 1
  settle "$1"
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
    if [ -z "$owner" ]; then
      [ -w "$state" ] || return 1
    elif ! alive "$owner"; then
      # Its process has ended without giving it back. Of two that see this, one moves it away.
      mv "$state/lock" "$state/lock.$$" 2>/dev/null
      moved=$(readlink "$state/lock.$$")
      [ "$moved" = "$owner" ] || [ -z "$moved" ] || mv "$state/lock.$$" "$state/lock"
      rm -f "$state/lock.$$"
      say note stale "took over the lock of ${owner##*.run-}, whose process has ended"
      continue
    fi
    [ "$waited" -lt "$patience" ] || return 1
    waited=$((waited + 1))
    sleep 1
  done
  locked=$mine
}

give_lock() {
  [ -n "$locked" ] && [ "$(readlink "$state/lock")" = "$locked" ] && rm -f "$state/lock"
}

prepare() {
  LC_ALL=C
  PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:$PATH
  export LC_ALL PATH
  unset IFS
  set +e +u +f
  umask 077
  # A lost connection ends no step half-way; the leash's TERM ends the run between two steps.
  trap '' HUP PIPE INT
  trap 'stop=1' TERM
  trap give_lock EXIT
  for tool in sha256sum stat cp mv ln readlink date sync; do
    command -v "$tool" >/dev/null || { say note blocked "$tool is missing on this host"; return 1; }
  done
  if ! mkdir -p "$state" 2>/dev/null || ! chmod 700 "$state" 2>/dev/null; then
    say note blocked "$state cannot be made"
    return 1
  fi
  if ! take_lock; then
    say note locked "another run is at work here: ${owner##*.run-}, process ${owner%%.*}"
    return 1
  fi
}

# --- running values

# Sets $handles: an inode and a way into it, for every namespace; one a line.
list_handles() {
  listed=$((listed + 1))
  handles=$nl$(stat -Lc '%i %n' /proc/[0-9]*/ns/net /proc/[0-9]*/task/[0-9]*/ns/net 2>/dev/null | awk '
    !($1 in seen) { seen[$1] = 1; print }
    END {
      while ((getline line < "/proc/self/mountinfo") > 0) {
        split(line, f, " ")
        if (f[4] ~ /^net:\[[0-9]+\]$/) print substr(f[4], 6, length(f[4]) - 6), f[5]
      }
    }')$nl
}

find_handle() {
  handle='' rest=${handles#*"$nl$1 "}
  [ "$rest" = "$handles" ] || handle=${rest%%"$nl"*}
  # shellcheck disable=SC2059 # mountinfo escapes white space, as printf does
  case $handle in *\\*) handle=$(printf "$(printf %s "$handle" | sed 's/%/%%/g')") ;; esac
}

# Runs in the namespace: inode, the value to replace, the value to write, the value to accept.
# shellcheck disable=SC2016 # the inner shell's variables
inside='
inode=$(stat -Lc %i /proc/self/ns/net)
[ "$inode" = "$1" ] || { echo gone; exit; }
[ -e "$4" ] || { echo absent; exit; }
read -r was <"$4" || { echo refused; exit; }
[ "$was" != "$3" ] || { echo already; exit; }
[ "$was" = "$2" ] || { echo changed "$was"; exit; }
{ echo "$3" >"$4"; } 2>/dev/null || { echo refused; exit; }
read -r now <"$4"
[ "$now" = "$3" ] && echo set || echo refused'

# set_value INODE FROM TO own|other: sets $told.
set_value() {
  if [ "$4" = own ]; then
    told=$(sh -c "$inside" - "$1" "$2" "$3" "$key")
    return
  fi
  [ "$listed" != 0 ] || list_handles
  for again in 0 1; do
    find_handle "$1"
    told=gone
    [ -z "$handle" ] || told=$(nsenter --net="$handle" sh -c "$inside" - "$1" "$2" "$3" "$key" 2>/dev/null)
    case $told in gone | '') told=gone ;; *) return ;; esac
    # Its process may have ended, and others be there still.
    [ "$again" = 1 ] || list_handles
  done
}

live_words() {
  case $told in
    set) say step "$1" "$2" ;;
    already) say step "$1" already "it had the value" ;;
    gone) say step "$1" gone "the namespace has ended: nothing to set" ;;
    absent) say step "$1" refused "the kernel shows no key there" ;;
    changed*) say step "$1" changed "it has another value meanwhile: ${told#changed }" ;;
    *) say step "$1" refused "the kernel does not let root write it there (a user namespace owns it)" ;;
  esac
}

# --- doing

# file NUMBER BEFORE AFTER PATH CONTENT: sha256 as hex, - for no file; content as printf's %b wants it.
file() {
  case $mode in
    check) check_file "$@" ;;
    keep) keep_file "$@" ;;
    do) [ "$broken$stop" != 00 ] || do_file "$@" ;;
  esac
}

check_file() {
  [ "$broken" = 0 ] || return
  point
  rm -f "${4%/*}"/.ipvs-audit.*.new
  if [ -L "$4" ] || { [ -e "$4" ] && [ ! -f "$4" ]; }; then
    got=other
  elif [ -e "$4" ]; then
    sum "$4"
  else
    got=-
  fi
  [ "$got" = "$2" ] || { say step "$1" changed "$4 is not what the plan was made from"; broken=1; }
}

keep_file() {
  [ "$broken" = 0 ] || return
  point
  printf 'file %s %s %s %s\n' "$1" "$2" "$3" "$4" >>"$home/manifest.new" || broken=1
  touch -r "${4%/*}" "$home/directory.$1" || broken=1
  if [ "$2" != - ]; then
    cp -a "$4" "$home/file.$1" && sum "$home/file.$1" && [ "$got" = "$2" ] && settle "$home/file.$1" || broken=1
  fi
  [ "$broken" = 0 ] || say note failed "$4 could not be backed up in $home"
}

fail_file() {
  rm -f "$new"
  say step "$@"
  broken=1
}

do_file() {
  new=${4%/*}/.ipvs-audit.$run.$1.new
  point
  log "$home/journal" "begin $1" || { fail_file "$1" failed "the journal in $home cannot be written"; return; }
  point
  if [ "$2" = - ]; then
    { : >"$new" && chmod 644 "$new"; } 2>/dev/null
  else
    cp -a "$4" "$new" 2>/dev/null
  fi || { fail_file "$1" failed "$4: no new file could be made beside it"; return; }
  point
  { printf '%b' "$5" >"$new"; } 2>/dev/null
  sum "$new"
  [ "$got" = "$3" ] || { fail_file "$1" failed "$4: the new content could not be written whole (disk full?)"; return; }
  settle "$new"
  point
  sum "$4"
  [ "${got:--}" = "$2" ] || { fail_file "$1" changed "$4 was changed meanwhile"; return; }
  mv -f "$new" "$4" 2>/dev/null || { fail_file "$1" failed "$4 could not be replaced"; return; }
  point
  settle "${4%/*}"
  log "$home/journal" "done $1"
  point
  say step "$1" done
}

# live NUMBER INODE BEFORE AFTER own|other NAME
live() {
  case $mode in
    keep) [ "$broken" != 0 ] || printf 'live %s %s %s %s %s %s\n' "$@" >>"$home/manifest.new" || broken=1 ;;
    do)
      [ "$broken$stop" = 00 ] || return
      point
      log "$home/journal" "begin $1"
      point
      set_value "$2" "$3" "$4" "$5"
      point
      log "$home/journal" "done $1 $told"
      live_words "$1" done
      ;;
  esac
}

steps() {
  :
  # @STEPS@
}

apply() {
  prepare || return
  mode=check
  steps
  [ "$broken" = 0 ] || return
  point
  if ! mkdir "$home" 2>/dev/null; then
    say note failed "$home cannot be made, or is there already"
    return
  fi
  : >"$home/manifest.new"
  mode=keep
  steps
  point
  if [ "$broken" = 0 ] && settle "$home/manifest.new" && mv "$home/manifest.new" "$home/manifest"; then
    settle "$home"
    point
    log "$state/journal" "apply $run by $who"
    mode=do
    steps
    [ "$stop" = 0 ] || say note stopped "the time was up between two steps"
    log "$state/journal" "applied $run broken=$broken stopped=$stop"
  else
    rm -rf "$home"
    say note failed "the backup could not be written to $home; nothing was changed"
  fi
  point
}

# --- undoing

undo() {
  prepare || return
  if [ ! -e "$home/manifest" ]; then
    rm -rf "$home"
    say note nothing "no change of run $run was begun here"
    return
  fi
  log "$state/journal" "undo $run by $who"
  # Back to front: running values first, then a hook before the value that it reads.
  backwards=$(awk '{ line[NR] = $0 } END { for (i = NR; i; i--) print line[i] }' "$home/manifest")
  set -f
  IFS=$nl
  for entry in $backwards; do
    unset IFS
    undo_step "$entry"
  done
  set +f
  unset IFS
  [ "$broken" != 0 ] || log "$home/journal" undone
  log "$state/journal" "undid $run refused=$broken"
}

undo_step() {
  number=${1#* } number=${number%% *}
  grep -q " begin $number\$" "$home/journal" 2>/dev/null || return
  point
  case $1 in
    file*)
      rest=${1#file * } before=${rest%% *}
      rest=${rest#* } after=${rest%% *}
      undo_file "$number" "$before" "$after" "${rest#* }"
      ;;
    live*)
      # shellcheck disable=SC2086 # its words; the name comes last
      set -- $1
      set_value "$3" "$5" "$4" "$6"
      live_words "$number" restored
      case $told in changed*) broken=1 ;; esac
      ;;
  esac
  point
}

undo_file() {
  new=${4%/*}/.ipvs-audit.$run.$1.new
  rm -f "$new"
  got=-
  [ ! -L "$4" ] || got=link
  [ ! -e "$4" ] || sum "$4"
  if [ "$got" = "$2" ]; then
    touch -r "$home/directory.$1" "${4%/*}"
    say step "$1" already "$4 is as it was"
  elif [ "$got" != "$3" ]; then
    say step "$1" changed "$4 was changed since: it is left as it is; what it was lies in $home/file.$1"
    broken=1
  elif [ "$2" = - ]; then
    point
    rm -f "$4" && settle "${4%/*}" && touch -r "$home/directory.$1" "${4%/*}" && say step "$1" restored ||
      { say step "$1" failed "$4 cannot be removed"; broken=1; }
  else
    cp -a "$home/file.$1" "$new" 2>/dev/null
    sum "$new"
    if [ "$got" != "$2" ]; then
      rm -f "$new"
      say step "$1" failed "$4 cannot be written, or its backup in $home is damaged"
      broken=1
      return
    fi
    settle "$new"
    point
    mv -f "$new" "$4" && settle "${4%/*}" && touch -r "$home/directory.$1" "${4%/*}" && say step "$1" restored ||
      { say step "$1" failed "$4 cannot be replaced"; broken=1; }
  fi
}

main() {
  @ACTION@
  say end "$points"
}

main </dev/null
