# shellcheck shell=sh
# The files that a plan may change, whole, and the directories that it would write to. Part of the
# script only where a plan is wanted; it reads like all the rest.

# Names that would need quoting are left out: a plan does not touch such a file.
unusual() { case $1 in *"$nl"* | *\\* | *"	"*) return 0 ;; esac; return 1; }

editable_file() {
  unusual "$1" && return
  real=$1 others=''
  # Who may change where a link leads could let root write to any file.
  [ ! -L "$1" ] || only_root_writes "$1" || others=$culprit
  if unusual "$real$others"; then return; fi
  text="${text}file $1${nl}real $real$nl"
  if [ -n "$others" ]; then
    text="${text}others $others$nl"
    return
  fi
  if ! regular "$real"; then
    text="${text}unread not a regular file$nl"
    return
  fi
  note_directory "${real%/*}"
  got=$(stat -Lc '%a %u %g %s %h' "$real" 2>/dev/null)
  text="${text}stat $got$nl"
  size=${got#* * * } size=${size%% *}
  if [ ! -r "$real" ]; then
    text="${text}unread permission denied$nl"
  elif [ "${size:-65537}" -gt 65536 ]; then
    text="${text}unread larger than 64 KiB$nl"
  else
    got=$(sha256sum <"$real")
    text="${text}sha256 ${got%% *}${nl}hex $(od -An -v -tx1 <"$real" | tr -d ' \n')$nl"
  fi
  got=$(lsattr -d "$real" 2>/dev/null)
  case ${got%% *} in *i*) text="${text}attribute immutable$nl" ;; esac
  case ${got%% *} in *a*) text="${text}attribute append-only$nl" ;; esac
}

note_directory() { case $directories in *"$nl$1$nl"*) ;; *) directories="$directories$1$nl" ;; esac; }

editable_files() {
  text='' directories="$nl/etc$nl/etc/sysctl.d$nl/etc/modprobe.d$nl/var/lib$nl"
  [ ! -e /var/lib/ipvs-audit ] || note_directory /var/lib/ipvs-audit
  set --
  [ ! -e /etc/sysctl.conf ] || set -- /etc/sysctl.conf
  for file in /etc/sysctl.d/*.conf; do
    regular "$file" && grep -qsE 'run_estimation|[*?[]' "$file" && set -- "$@" "$file"
  done
  for file in /etc/modprobe.d/*.conf; do
    regular "$file" && grep -qsiE 'ip[_-]vs|install.*[*?[]' "$file" && set -- "$@" "$file"
  done
  for file; do editable_file "$file"; done
  IFS=$nl
  for directory in $directories; do
    unset IFS
    [ -n "$directory" ] || continue
    state=absent free=0 others=''
    if [ -d "$directory" ]; then
      state=writable
      only_root_writes "$directory" || state=shared others=$culprit
      [ -w "$directory" ] && [ "$uid" = 0 ] || state=denied
      # The mount that holds it: its free KiB, and whether it is read-only.
      got=$(df -Pk "$directory" 2>/dev/null | awk 'NR > 1 { free = $4; mount = $6 }
        END {
          while ((getline line < "/proc/self/mountinfo") > 0) {
            n = split(line, f, " ")
            if (f[5] == mount) ro = ("," f[6] "," ~ /,ro,/ || "," f[n] "," ~ /,ro,/)
          }
          print free + 0, ro + 0
        }')
      free=${got% *}
      case $got in *' 1') state='readonly' ;; esac
      # In an append-only one nothing can be replaced.
      got=$(lsattr -d "$directory" 2>/dev/null)
      case ${got%% *} in *[ai]*) state=immutable ;; esac
    fi
    text="${text}directory $state ${free:-0} $directory$nl"
    [ "$state" != shared ] || unusual "$others" || text="${text}others $others$nl"
  done
  unset IFS
  frame editable-files - 'od -An -v -tx1 /etc/sysctl.conf ...; lsattr -d; df -Pk' "${text}end$nl"
}
