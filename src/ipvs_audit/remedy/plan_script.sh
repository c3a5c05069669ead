#!/bin/sh
@ABOUT@
#
# Run it as root: `sh NAME --check` compares and changes nothing, `sh NAME` changes. It stops at the first
# failure. Every file is compared with the plan before anything is changed; what is already as planned is
# left alone. Copies of changed files are kept in @KEPT@.
set -u
umask 077
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
unset IFS
key=@KEY@
kept=@KEPT@
mode=check new=''
# shellcheck disable=SC2034 # of the functions below
nl='
'

fail() {
  printf '%s: %s\n' "$0" "$*" >&2
  exit 1
}

digest() {
  found=$(sha256sum <"$1") || fail "$1 cannot be read"
  found=${found%% *}
}

# state PATH: sets $found to the file's sha256, or to - where there is none.
state() {
  found=-
  if [ -L "$1" ]; then fail "$1 is now a link; plan again"; fi
  if [ -e "$1" ]; then
    [ -f "$1" ] || fail "$1 is now no regular file; plan again"
    [ "$(stat -c %h "$1")" = 1 ] || fail "$1 has several hard links, which replacing it would break"
    digest "$1"
  fi
}

# file BEFORE AFTER PATH CONTENT: sha256, - for no file; the content as printf %b wants it.
file() {
  # shellcheck disable=SC2154 # it sets the directory
  only_root_writes "${3%/*}" || fail "$culprit is writable by users other than root"
  state "$3"
  case $found in "$1" | "$2") ;; *) fail "$3 has changed since the plan was made; plan again" ;; esac
  [ "$mode" = change ] || return 0
  if [ "$found" = "$2" ]; then
    echo "already as planned: $3"
    return 0
  fi
  new=$(mktemp "${3%/*}/.ipvs-audit.XXXXXXXX") || fail "no file can be created in ${3%/*}"
  if [ "$1" = - ]; then
    chmod 644 "$new"
  else
    mkdir -p "$kept" || fail "$kept cannot be created"
    while [ -e "$kept/$copies" ]; do copies=$((copies + 1)); done
    cp -a "$3" "$kept/$copies" || fail "$3 cannot be copied to $kept"
    echo "$copies $3" >>"$kept/names" || fail "$kept cannot be written"
    cp -a "$3" "$new"
  fi || fail "$3: its owner and mode cannot be kept"
  printf '%b' "$4" >"$new" || fail "$new cannot be written (disk full?)"
  digest "$new"
  [ "$found" = "$2" ] || fail "$new was not written completely (disk full?)"
  state "$3"
  [ "$found" = "$1" ] || fail "$3 was changed meanwhile; plan again"
  mv -f "$new" "$3" || fail "$3 cannot be replaced"
  new=''
  echo "written: $3"
}

# value BEFORE AFTER: the running value of the namespace that this runs in.
value() {
  was=$(cat "$key") || fail "$key cannot be read"
  case $was in "$1" | "$2") ;; *) fail "$key is now $was; plan again" ;; esac
  [ "$mode" = change ] || return 0
  if [ "$was" = "$2" ]; then
    echo "already $2: $key"
    return 0
  fi
  echo "$2" >"$key" || fail "$key cannot be written"
  [ "$(cat "$key")" = "$2" ] || fail "$key was reset at once"
  echo "set to $2: $key"
}

# namespace BOOT INODE BEFORE AFTER: the same in another namespace, whose number holds for one boot.
namespace() {
  [ "$(cat /proc/sys/kernel/random/boot_id)" = "$1" ] || fail "the host was booted since the plan was made; plan again"
  inside=$(stat -Lc '%i %n' /run/netns/* /run/docker/netns/* /proc/[0-9]*/ns/net /proc/[0-9]*/task/[0-9]*/ns/net 2>/dev/null |
    grep -m1 "^$2 ") || fail "namespace $2 has ended, or cannot be entered from here; plan again"
  nsenter --net="${inside#* }" sh -c "$in_namespace" - "$key" "$3" "$4" "$mode" || fail "namespace $2 was not changed"
}

# shellcheck disable=SC2016 # the inner shell's
in_namespace='was=$(cat "$1") || exit
case $was in "$2" | "$3") ;; *) echo "$1 is now $was; plan again" >&2; exit 1 ;; esac
[ "$4" = change ] && [ "$was" != "$3" ] || exit 0
echo "$3" >"$1" && [ "$(cat "$1")" = "$3" ] && echo "set to $3: $1 in that namespace"'

# @PARTS@

steps() {
  : # @STEPS@
}

main() {
  [ "$(id -u)" = 0 ] || fail "run it as root"
  for tool in cat chmod cp grep id mkdir mktemp mv readlink rm sha256sum stat; do
    command -v "$tool" >/dev/null || fail "$tool is missing on this host"
  done
  # Where others can write, a link could lead a copy elsewhere.
  for place in "${kept%/*/*}" "${kept%/*}" "$kept"; do
    [ ! -e "$place" ] || only_root_writes "$place" || fail "$culprit is writable by users other than root"
  done
  steps
  if [ "${1-}" = --check ]; then
    echo "as the plan expects it; nothing was changed"
    return
  fi
  mode=change copies=1
  trap '[ -z "$new" ] || rm -f "$new"' EXIT
  steps
}

main "$@"
