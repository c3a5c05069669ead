# shellcheck shell=sh
# Carrying out a plan: check every file, back all of them up, then change one after the other.

# file NUMBER BEFORE AFTER PATH CONTENT: sha256 as hex, - for no file; content as printf's %b wants it.
file() {
  case $mode in
    check) check_file "$@" ;;
    keep) keep_file "$@" ;;
    act) [ "$broken$stop" != 00 ] || write_file "$@" ;;
  esac
}

check_file() {
  [ "$broken" = 0 ] || return
  point
  only_root_writes "${4%/*}" || { fail_file "$1" failed "$(shared), so root does not write to ${4%/*}"; return; }
  if [ -L "$4" ] || { [ -e "$4" ] && [ ! -f "$4" ]; }; then
    got=other
  elif [ -e "$4" ]; then
    # Since the plan it may have got another name, which would keep the old content.
    case $(stat -c %h "$4") in 1) sum "$4" ;; *) got=linked ;; esac
  else
    got=-
  fi
  [ "$got" = "$2" ] || { say step "$1" changed "$4 has changed since the plan was made"; broken=1; }
}

keep_file() {
  [ "$broken" = 0 ] || return
  point
  printf 'file %s %s %s %s\n' "$1" "$2" "$3" "$4" >>"$rundir/manifest.new" || broken=1
  touch -r "${4%/*}" "$rundir/directory.$1" || broken=1
  if [ "$2" != - ]; then
    cp -a "$4" "$rundir/file.$1" && sum "$rundir/file.$1" && [ "$got" = "$2" ] &&
      [ "$(facts "$rundir/file.$1")" = "$(facts "$4")" ] && settle "$rundir/file.$1" || broken=1
  fi
  [ "$broken" = 0 ] || say note failed "$4 could not be backed up in $rundir with its owner, mode, ACL and label"
}

fail_file() {
  [ -z "$new" ] || rm -f "$new"
  say step "$@"
  broken=1
}

write_file() {
  new=''
  point
  log "$rundir/journal" "begin $1" || { fail_file "$1" failed "the journal in $rundir cannot be written"; return; }
  point
  new_file "$4" || { fail_file "$1" failed "$why"; return; }
  if [ "$2" = - ]; then
    chmod 644 "$new"
  else
    cp -a "$4" "$new" 2>/dev/null
  fi || { fail_file "$1" failed "$why"; return; }
  point
  { printf '%b' "$5" >"$new"; } 2>/dev/null
  sum "$new"
  [ "$got" = "$3" ] || { fail_file "$1" failed "$4: the new content could not be written completely (disk full?)"; return; }
  if [ "$2" != - ]; then
    [ "$(facts "$new")" = "$(facts "$4")" ] || { fail_file "$1" failed "$4: its owner, mode, ACL or label could not be kept"; return; }
  fi
  settle "$new"
  point
  sum "$4"
  [ "${got:--}" = "$2" ] || { fail_file "$1" changed "$4 was changed meanwhile"; return; }
  touched=1
  mv -f "$new" "$4" 2>/dev/null || { fail_file "$1" failed "$4 could not be replaced"; return; }
  point
  settle "${4%/*}"
  log "$rundir/journal" "done $1"
  point
  say step "$1" written
}

# value NUMBER INODE BEFORE AFTER own|other NAME
value() {
  case $mode in
    keep) [ "$broken" != 0 ] || printf 'value %s %s %s %s %s %s\n' "$@" >>"$rundir/manifest.new" || broken=1 ;;
    act)
      [ "$broken$stop" = 00 ] || return
      point
      # Not synced: a host that goes down loses the value too.
      if ! echo "- begin $1" >>"$rundir/journal"; then
        say step "$1" failed "the journal in $rundir cannot be written"
        broken=1
        return
      fi
      point
      touched=1
      set_value "$2" "$3" "$4" "$5"
      point
      echo "- done $1 $result" >>"$rundir/journal"
      say_value "$1" refused
      ;;
  esac
}

# Nothing was changed, and nothing is kept: the same run may begin again.
say_unchanged() { say note unchanged "nothing was changed"; }

steps() {
  : # @STEPS@
}

apply() {
  prepare || return
  mode=check touched=0
  steps
  [ "$broken" = 0 ] || { say_unchanged; return; }
  point
  if ! mkdir "$rundir" 2>/dev/null; then
    read_who
    case $made/$name in
      "$who/$host" | /*) say note failed "$rundir cannot be created, or already exists" ;;
      "$who"/*)
        # Not a failure: what is left to do is told by new evidence.
        say step 1 changed "this run has changed the same machine as $name"
        say_unchanged
        ;;
      *) say note failed "$rundir is of another run, by $made" ;;
    esac
    return
  fi
  { printf '%s\n' "$who" "$host" >"$rundir/who" && echo "boot $boot" >"$rundir/manifest.new"; } || broken=1
  mode=keep
  steps
  point
  if [ "$broken" = 0 ] && settle "$rundir/manifest.new" && mv "$rundir/manifest.new" "$rundir/manifest"; then
    settle "$rundir"
    point
    if log "$state/journal" "apply $run by $who"; then
      mode=act
      steps
    else
      say note failed "$state/journal cannot be written"
    fi
    [ "$stop" = 0 ] || say note stopped "the time limit was reached between two steps"
    log "$state/journal" "applied $run broken=$broken stopped=$stop"
    [ "$touched" = 1 ] || { rm -rf "$rundir"; say_unchanged; }
  else
    rm -rf "$rundir"
    say note failed "the backup could not be written to $rundir; nothing was changed"
  fi
  point
}

