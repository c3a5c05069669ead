# shellcheck shell=sh
# Whose a directory is: asked before a plan is made, and again before root writes there.

# walk NAME: sets $way to the directories and links that a name leads through, one a line in their order
# ($hops of them), and $real to where it leads. readlink -f would not say what it came through.
walk() {
  left=${1#/} real='' way=/ hops=1
  while [ -n "$left" ]; do
    part=${left%%/*}
    case $left in */*) left=${left#*/} ;; *) left='' ;; esac
    case $part in '' | .) continue ;; esac
    hops=$((hops + 1))
    [ "$hops" -le 200 ] || return 1 # a link that leads to itself
    if [ "$part" = .. ]; then
      real=${real%/*} way=$way$nl${real:-/}
    elif [ -L "$real/$part" ]; then
      way=$way$nl$real/$part
      part=$(readlink "$real/$part") && [ -n "$part" ] || return 1
      left=$part/$left
      case $part in /*) real='' hops=$((hops + 1)) way=$way$nl/ ;; esac
    else
      real=$real/$part way=$way$nl$real
    fi
  done
  real=${real:-/}
}

# only_root_writes NAME: whether only root can put anything into a directory, or something else in the
# place of it or of what a name leads through. Sets $culprit to the directory where others can.
only_root_writes() {
  culprit=$1
  set -f
  walk "$1" && [ -e "$real" ] && judge_way
  set -- $?
  unset IFS
  set +f
  return "$1"
}

# Root's alone now is root's alone later: what others could change, they could only where they still can.
judge_way() {
  loose=''
  IFS=$nl
  # shellcheck disable=SC2046,SC2086 # lines
  set -- $(stat -c '%u:%g:%A %n' $way 2>/dev/null)
  [ $# = "$hops" ] || return 1
  for entry; do
    bits=${entry%% *}
    case $bits in
      *:l*) [ -z "$loose" ] || [ "${bits%%:*}" = 0 ] || return 1 ;;
      *:d*)
        culprit=${entry#* } loose=''
        # Nobody moves what is root's in a sticky directory, but nothing is written there.
        case $bits in
          0:*:d????-??-?) ;;
          0:0:d????w??-?) has_no_acl "$culprit" || return 1 ;;
          0:*:d????????[tT]) loose=1 ;;
          *) return 1 ;;
        esac
        ;;
    esac
  done
  [ -z "$loose" ]
}

# With an ACL the group's bits are its mask, and may be anybody's. GNU's ls tells of one by a +; where
# another ls cannot be known to, a directory is taken to have one.
has_no_acl() {
  case $(ls --version 2>/dev/null) in 'ls (GNU '*) ;; *) return 1 ;; esac
  # shellcheck disable=SC2012 # its mode column
  case $(ls -ldn "$1" 2>/dev/null) in d?????????[\ .]*) ;; *) return 1 ;; esac
}
