# shellcheck shell=sh
# Whose a directory is: asked before a plan is made, and again before root writes there.

# Whether only root can put anything into a directory, or another one in its place.
only_root_writes() {
  above=$1 how=here
  while :; do
    # shellcheck disable=SC2046 # its words
    set -- $(stat -Lc '%u %g %a' "${above:-/}" 2>/dev/null)
    [ "$1" = 0 ] || return 1
    # The group may write where it is root's; in a sticky directory further up nobody moves ours.
    case $((0$3 & 02)):$((0$3 & 020)):$2:$((0$3 & 01000)):$how in
      0:0:* | 0:16:0:*) ;;
      *:512:up) ;;
      *) return 1 ;;
    esac
    [ -n "$above" ] || return 0
    above=${above%/*} how=up
  done
}
