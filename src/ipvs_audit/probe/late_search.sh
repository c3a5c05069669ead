# shellcheck shell=sh
# Which files may set the key, or load ip_vs, at boot and later, and who names them.

# Lines that are no comments and name a path where scripts may lie.
naming='^[ 	]*[^# 	].*/(etc|opt|srv|root|home|var|usr/(local|lib|libexec))/'

# late_grep OPTIONS REGEX PATH...: grep on the regular files there, up to 128 KiB each; ends the subshell.
late_grep() {
  how=$1 regex=$2
  shift 2
  [ $# = 0 ] || exec find -L "$@" -maxdepth 2 \( -name '*.wants' -o -name '*.requires' \) -prune -o \
    -type f -size +0 -size -256 -exec grep "$how" "$regex" {} + 2>/dev/null
}

# late_paths: of what grep -H printed, pairs of a path that is named and the file that names it.
late_paths() {
  exec awk '{
    path = $0; sub(/:.*/, "", path)
    n = split(substr($0, length(path) + 2), w, /[^A-Za-z0-9_.@+\/-]+/)
    for (i = 1; i <= n; i++) if (w[i] ~ /^\/[a-z]+\/./ && w[i] !~ /^\/(dev|proc|sys|run|s?bin|usr\/s?bin|usr\/lib\/systemd\/systemd-)/ && !((w[i] path) in seen) && many++ < 300) { seen[w[i] path]; print w[i] " " path }
  }'
}

# Whether a file may be read by its name: /proc/kmsg is a regular file too, of no size, and never ends.
late_ends() { [ -f "$1" ] && [ -s "$1" ]; }

# late_take PAIRS: those of regular files into pairs, the files into all_named, and scripts among them, but
# for packages' own, into nested.
late_take() {
  nested=''
  set -f
  IFS=$nl
  for line in $1; do
    name=${line%% *}
    [ "$name" != "${line#* }" ] && [ -f "$name" ] || continue
    pairs=$pairs$line$nl
    case $nl$all_named in *"$nl$name$nl"*) continue ;; esac
    all_named=$all_named$name$nl
    case $name in /usr/lib*) ;; *) [ ! -x "$name" ] || nested=$nested$name$nl ;; esac
  done
  unset IFS
  set +f
}

# Sets $found to the files that concern sysctl or ip_vs, $pairs to who names which script, $callers to what tells of
# scripts that are named without a path, $unit_dirs, and $marks to what could not be searched.
late_search() {
  marks=''
  set --
  for dir in /etc/systemd/system.control /run/systemd/system.control /run/systemd/transient /run/systemd/generator.early \
    /etc/systemd/system /run/systemd/system /run/systemd/generator /usr/local/lib/systemd/system \
    /usr/lib/systemd/system /lib/systemd/system /run/systemd/generator.late; do
    [ -d "$dir" ] || continue
    [ "$dir" = /lib/systemd/system ] && [ "$dir" -ef /usr/lib/systemd/system ] || set -- "$@" "$dir"
  done
  unit_dirs=$* packaged='' scripts=''
  for dir; do
    shift
    # There are hundreds of packages' units, none of them a pipe: grep alone is three times as fast.
    case $dir in /usr/lib/* | /lib/*) packaged="$packaged $dir/*.service $dir/*.socket $dir/*.d/*.conf" ;; *) set -- "$@" "$dir" ;; esac
  done
  places=''
  for path in crontab anacrontab cron.d cron.hourly cron.daily cron.weekly cron.monthly rc.local rc.d/rc.local init.d \
    sysconfig/modules rc.modules local.d tuned tuned/profiles ufw default/ufw NetworkManager/dispatcher.d \
    networkd-dispatcher network cloud keepalived kubernetes/manifests credstore tmpfiles.d profile profile.d bash.bashrc \
    dhcp ppp wireguard logrotate.d apt/apt.conf.d libvirt/hooks systemd/system-sleep; do
    for dir in /etc /usr/lib /run; do places="$places $dir/$path"; done
  done
  for path in $places /etc/systemd/system-generators /var/spool/cron /var/spool/at /var/lib/cloud/instance \
    /var/lib/cloud/scripts /run/credentials/@system /usr/local/lib/tmpfiles.d /sbin/ifup-local \
    /root/.bashrc /root/.profile /root/.bash_profile /usr/local/bin /usr/local/sbin /opt /root/bin; do
    [ -e "$path" ] || continue
    if [ -r "$path" ] && { [ ! -d "$path" ] || [ -x "$path" ]; }; then
      case $path in /usr/local/s* | /usr/local/b* | /opt | /root/bin) scripts="$scripts $path" ;; *) set -- "$@" "$path" ;; esac
    else
      marks="${marks}unreadable $path: permission denied$nl"
    fi
  done
  have find || marks="${marks}unreadable /: find is missing on this host$nl"
  all_named='' pairs='' callers=''
  # shellcheck disable=SC2086 # patterns, in directories of fixed names
  late_take "$({
    grep -sHE "^Exec.*${naming#*.\*}" $packaged
    late_grep -HE "$naming" "$@"
  } | late_paths)"
  # What those name, and what that names.
  for _ in 1 2; do
    set -f
    IFS=$nl
    # shellcheck disable=SC2086 # a path a line
    [ -z "$nested" ] || late_take "$(late_grep -HE "$naming" $nested | late_paths)"
  done
  # shellcheck disable=SC2086 # fixed names
  set -- "$@" $scripts
  set -f
  IFS=$nl
  # shellcheck disable=SC2086 # a path a line
  found=$(late_grep -lE "$concerns" "$@" $all_named)
  unset IFS
  set +f
  # shellcheck disable=SC2086 # patterns, in directories of fixed names
  found=$found$nl$(grep -lsE "$concerns" $packaged)
  # Scripts that nothing known runs by their place: look for who names them.
  set -f
  IFS=$nl
  for file in $found; do
    case $file in
      /usr/local/bin/* | /usr/local/sbin/* | /opt/* | /root/bin/*)
        name=${file##*/}
        case $name in *[!A-Za-z0-9._-]*) ;; *) callers="$callers|/$name([^A-Za-z0-9._-]|\$)" ;; esac
        ;;
    esac
  done
  unset IFS
  set +f
  callers=${callers#|}
  if [ -n "$callers" ]; then
    got=$(late_grep -lE "$callers" "$@")
    # shellcheck disable=SC2086 # the same
    found=$found$nl$got$nl$(grep -lsE "$callers" $packaged)
  fi
}
