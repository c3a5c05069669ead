# shellcheck shell=sh
# Undoing a run, from what the host has kept of it; undoing again does no harm.

undo() {
  prepare || return
  if [ ! -e "$rundir/manifest" ]; then
    # Without a manifest nothing was begun; what lies there is kept all the same.
    say note nothing "$rundir holds no change of run $run"
    return
  fi
  read_who
  if [ -n "$made" ] && [ "$made" != "$by" ]; then
    say note failed "run $run of $by changed nothing here; one of the same name by $made did"
    return
  fi
  # A host whose connection is lost is reverted: not what the same run did here under another name.
  if [ -n "$name" ] && [ "$name" != "$host" ]; then
    say note nothing "run $run changed nothing as $host; it changed this machine as $name"
    return
  fi
  log "$state/journal" "undo $run by $who"
  # Read once, not at each step: there may be hundreds.
  begun=$nl$(cat "$rundir/journal" 2>/dev/null)$nl
  listing=$nl$(cat "$rundir/manifest")$nl
  # Back to front: running values first, then a hook before the value that it reads.
  backwards=$(awk '{ line[NR] = $0 } END { for (i = NR; i; i--) print line[i] }' "$rundir/manifest")
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
      say step "$number" already "it was undone before"
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
    value*)
      # shellcheck disable=SC2086 # its words; the name comes last
      set -- $1
      undo_value "$@"
      ;;
  esac
  point
}

# undo_value value NUMBER INODE BEFORE AFTER own|other NAME
undo_value() {
  case $begun in
    *" done $2 already$nl"*)
      say step "$2" already "it had the value before the run"
      return
      ;;
    *" done $2 gone$nl"*)
      say step "$2" gone "the namespace had ended before the run came to it"
      return
      ;;
    *" done $2 absent$nl"* | *" done $2 un"* | *" done $2 changed "* | *" done $2 missing "*)
      say step "$2" already "the run did not set it"
      return
      ;;
  esac
  case $6:$listing in
    *"${nl}boot $boot$nl"*) set_value "$3" "$5" "$4" "$6" ;;
    # The boot has ended the other namespaces, and the host's own may have got another number.
    own:*)
      set_value any "$5" "$4" own
      case $result in changed* | absent) result=outlived ;; esac
      ;;
    *) result=gone ;;
  esac
  if [ "$result" = outlived ]; then
    say step "$2" gone "the host has booted since, and no longer has the value of the run"
  else
    say_value "$2" gone
  fi
  case $result in
    set | already | gone | unloaded | outlived) echo "- undone $2" >>"$rundir/journal" ;;
    *) broken=1 ;;
  esac
}

undo_file() {
  if [ -d "${4%/*}" ] && ! only_root_writes "${4%/*}"; then
    say step "$1" refused "$(shared), so root does not write to ${4%/*}"
    broken=1
    return
  fi
  new='' got=-
  rm -f "${4%/*}/$leftover"*
  if [ -L "$4" ] || { [ -e "$4" ] && [ ! -f "$4" ]; }; then
    got=other
  elif [ -e "$4" ]; then
    sum "$4"
  fi
  if [ "$got" = "$2" ]; then
    touch -r "$rundir/directory.$1" "${4%/*}"
    log "$rundir/journal" "undone $1"
    say step "$1" already "$4 is already as it was"
    return
  fi
  why="$4 was changed since the run, so it is left as it is; its backup is $rundir/file.$1"
  if [ "$got" = "$3" ] && restore_file "$@"; then
    settle "${4%/*}"
    touch -r "$rundir/directory.$1" "${4%/*}"
    point
    log "$rundir/journal" "undone $1"
    say step "$1" restored
  else
    [ -z "$new" ] || rm -f "$new"
    say step "$1" refused "$why"
    broken=1
  fi
}

restore_file() {
  why="$4 cannot be removed"
  point
  if [ "$2" = - ]; then
    rm -f "$4"
    return
  fi
  new_file "$4" || return
  why="$4 cannot be written, or its backup in $rundir is damaged"
  # The content of the backup, with the owner, mode, ACL and label that the file has now: the run left them
  # as they were, and whoever took others' access away since must not find it given back.
  cp -a "$4" "$new" 2>/dev/null && cat "$rundir/file.$1" >"$new" && touch -r "$rundir/file.$1" "$new"
  sum "$new"
  [ "$got" = "$2" ] && [ "$(facts "$new")" = "$(facts "$4")" ] || return
  settle "$new"
  point
  why="$4 was changed meanwhile"
  sum "$4"
  [ "$got" = "$3" ] || return
  why="$4 cannot be replaced"
  mv -f "$new" "$4" 2>/dev/null
}
