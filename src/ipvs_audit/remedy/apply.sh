# shellcheck shell=sh
# Doing a plan: look at every file, keep them all, then change one after the other.

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

write_file() {
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
  say step "$1" written
}

# live NUMBER INODE BEFORE AFTER own|other NAME
live() {
  case $mode in
    keep) [ "$broken" != 0 ] || printf 'live %s %s %s %s %s %s\n' "$@" >>"$home/manifest.new" || broken=1 ;;
    act)
      [ "$broken$stop" = 00 ] || return
      point
      # Not synced: a host that goes down loses the value too.
      echo "- begin $1" >>"$home/journal"
      point
      set_value "$2" "$3" "$4" "$5"
      point
      echo "- done $1 $told" >>"$home/journal"
      live_words "$1"
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
    mode=act
    steps
    [ "$stop" = 0 ] || say note stopped "the time was up between two steps"
    log "$state/journal" "applied $run broken=$broken stopped=$stop"
  else
    rm -rf "$home"
    say note failed "the backup could not be written to $home; nothing was changed"
  fi
  point
}

