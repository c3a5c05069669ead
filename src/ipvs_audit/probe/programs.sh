# shellcheck shell=sh
# What stands at the paths that hooks and udev rules name; which other modules they load; who else
# loads modules, and whether from another root directory, as in a container.

# What stands at a path, without a fork: adds a line to $text.
stands() {
  state=absent writes=- same=-
  if [ -d "$1" ]; then
    state=directory
  elif [ -f "$1" ]; then
    state='file'
    if [ -x "$1" ]; then state=program; elif [ "$uid" != 0 ]; then state=closed; fi
    for one in sysctl:$sysctl_at modprobe:$modprobe_at busybox:/bin/busybox busybox:/usr/bin/busybox \
      toybox:/bin/toybox toybox:/usr/bin/toybox; do
      [ "$same" = - ] && [ "$1" -ef "${one#*:}" ] && same=${one%%:*}
    done
  elif [ -e "$1" ]; then
    state=special
  elif [ -L "$1" ]; then
    state=dangling
  else
    up=${1%/*}
    [ -d "${up:-/}" ] || state=nowhere
    while [ ! -d "${up:-/}" ]; do up=${up%/*}; done
    [ -x "${up:-/}" ] || state=hidden
  fi
  case $state in
    absent) [ ! -w "${up:-/}" ] || writes=w ;;
    nowhere | dangling | hidden | directory) ;;
    *) [ ! -w "$1" ] || writes=w ;;
  esac
  [ "$uid" = 0 ] || writes='?'
  text="${text}path $state $writes $same $1$nl"
}

# Takes $words of config.sh, 300 at most: `w WORD` of a hook or rule; `m NAME PATTERN` of a module that
# a hook loads.
programs() {
  text='' wanted='' n=0
  # In busybox' shell they are its own applets.
  for path in /usr/sbin /usr/bin /sbin /bin; do
    case $sysctl_at in /*) ;; *) [ ! -x "$path/sysctl" ] || sysctl_at=$path/sysctl ;; esac
    case $modprobe_at in /*) ;; *) [ ! -x "$path/modprobe" ] || modprobe_at=$path/modprobe ;; esac
  done
  set -f
  IFS=$nl
  for path in /sbin/modprobe /usr/sbin/modprobe /sbin/sysctl /usr/sbin/sysctl /bin/sh; do stands "$path"; done
  for line in $words; do
    n=$((n + 1)) word=${line#* }
    [ "$n" -le 300 ] || break
    case $line in
      'm '*)
        if [ -d "/sys/module/${word% *}" ]; then text="${text}module ${word% *} yes$nl"; else wanted="$wanted$word$nl"; fi
        ;;
      'w /sbin/modprobe' | 'w /usr/sbin/modprobe' | 'w /sbin/sysctl' | 'w /usr/sbin/sysctl' | 'w /bin/sh') ;;
      'w /'*) stands "$word" ;;
      'w '*)
        text="${text}name $word$nl"
        for path in /sbin /bin /usr/sbin /usr/bin /usr/local/sbin /usr/local/bin; do
          case $path/$word in /sbin/modprobe | /usr/sbin/modprobe | /sbin/sysctl | /usr/sbin/sysctl | /bin/sh) continue ;; esac
          [ ! -f "$path/$word" ] || stands "$path/$word"
        done
        ;;
    esac
  done
  if [ -n "$wanted" ] && [ -r "$lib/modules.dep" ]; then
    pattern=''
    for word in $wanted; do pattern="$pattern|${word#* }"; done
    got=$(grep -hsoE "/(${pattern#|})\.ko(\.[gx]z|\.zst)?(:|\$)" "$lib/modules.dep" "$lib/modules.builtin")
    for word in $wanted; do
      # shellcheck disable=SC2254 # a pattern
      case $got in
        */${word#* }.ko*) text="${text}module ${word% *} yes$nl" ;;
        *) text="${text}module ${word% *} no$nl" ;;
      esac
    done
  fi
  for one in dash bash busybox ksh mksh yash zsh toybox; do
    if [ /bin/sh -ef "/bin/$one" ] || [ /bin/sh -ef "/usr/bin/$one" ]; then
      text="${text}shell $one$nl"
      break
    fi
  done
  if [ -r /proc/sys/kernel/modprobe ]; then
    get /proc/sys/kernel/modprobe
    case $text in *" $got$nl"*) ;; *) case $got in /*) stands "$got" ;; esac ;; esac
    text="${text}helper $got$nl"
  fi
  for line in $comms; do
    name=${line#*:} pid=${line#/proc/} pid=${pid%%/*} root=unknown
    case $name in kube-proxy | kube-router | keepalived) ;; *) continue ;; esac
    if [ "/proc/$pid/root" -ef / ]; then root=own; elif [ -e "/proc/$pid/root/" ]; then root=other; fi
    text="${text}loads $name $root$nl"
  done
  unset IFS
  set +f
  frame programs - 'ls -l PROGRAMS-IN-HOOKS /bin/sh /proc/[0-9]*/root; cat /proc/sys/kernel/modprobe; grep MODULES-IN-HOOKS modules.dep' "${text}end$nl"
}
