# shellcheck shell=sh
# Undoing a run, from what the host has kept of it; as often as one likes.

undo() {
  prepare || return
  if [ ! -e "$home/manifest" ]; then
    # Without a manifest nothing was begun; what lies there is kept all the same.
    say note nothing "$home holds no change that run $run began"
    return
  fi
  if [ -e "$home/who" ] && [ "$(cat "$home/who")" != "$by" ]; then
    say note failed "run $run of $by changed nothing here; one of the same name by $(cat "$home/who") did"
    return
  fi
  log "$state/journal" "undo $run by $who"
  # Read once, not at each step: there may be hundreds.
  begun=$nl$(cat "$home/journal" 2>/dev/null)$nl
  listing=$nl$(cat "$home/manifest")$nl
  # Back to front: running values first, then a hook before the value that it reads.
  backwards=$(awk '{ line[NR] = $0 } END { for (i = NR; i; i--) print line[i] }' "$home/manifest")
  set -f
  IFS=$nl
  for entry in $backwards; do
    unset IFS
    set +f
    undo_step "$entry"
  done
  unset IFS
  set +f
  log "$state/journal" "undid $run refused=$broken"
}

undo_step() {
  number=${1#* } number=${number%% *}
  case $begun in
    *" undone $number$nl"*)
      say step "$number" already "it was taken back before"
      return
      ;;
    *" begin $number$nl"*) ;;
    *) return ;;
  esac
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
      undo_value "$@"
      ;;
  esac
  point
}

# undo_value live NUMBER INODE BEFORE AFTER own|other NAME
undo_value() {
  case $begun in
    *" done $2 already$nl"*)
      say step "$2" already "the run found it so"
      return
      ;;
    *" done $2 gone$nl"*)
      say step "$2" gone "the namespace had ended before the run came to it"
      return
      ;;
  esac
  # After a boot, another namespace may bear its number.
  case $6:$listing in
    own:* | *"${nl}boot $boot$nl"*) set_value "$3" "$5" "$4" "$6" ;;
    *) told=gone ;;
  esac
  live_words "$2"
  case $told in
    set | already | gone) echo "- undone $2" >>"$home/journal" ;;
    *) broken=1 ;;
  esac
}

undo_file() {
  new=${4%/*}/.ipvs-audit.$run.$1.new
  rm -f "$new"
  got=-
  [ ! -e "$4" ] || sum "$4"
  [ ! -L "$4" ] || got='a link'
  if [ "$got" = "$2" ]; then
    touch -r "$home/directory.$1" "${4%/*}"
    log "$home/journal" "undone $1"
    say step "$1" already "$4 is as it was"
    return
  fi
  why="$4 was changed since: it is left as it is; what it was lies in $home/file.$1"
  if [ "$got" = "$3" ] && put_back "$@"; then
    settle "${4%/*}"
    touch -r "$home/directory.$1" "${4%/*}"
    point
    log "$home/journal" "undone $1"
    say step "$1" restored
  else
    rm -f "$new"
    say step "$1" refused "$why"
    broken=1
  fi
}

put_back() {
  why="$4 cannot be removed"
  point
  if [ "$2" = - ]; then
    rm -f "$4"
    return
  fi
  why="$4 cannot be written, or its backup in $home is damaged"
  cp -a "$home/file.$1" "$new" 2>/dev/null
  sum "$new"
  [ "$got" = "$2" ] && [ "$(facts "$new")" = "$(facts "$home/file.$1")" ] || return
  settle "$new"
  point
  why="$4 was changed meanwhile"
  sum "$4"
  [ "$got" = "$3" ] || return
  why="$4 cannot be replaced"
  mv -f "$new" "$4" 2>/dev/null
}
