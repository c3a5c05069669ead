# shellcheck shell=sh
# Which files may set the key, or load ip_vs, at boot and later, and who names them.

# Lines that are no comments and name a path where scripts may lie, or a program by its name alone.
naming='^[ 	]*[^# 	].*/[a-z]+/|^Exec[A-Za-z]*=[-@:+!|]*[a-z]'

# late_grep OPTIONS REGEX PATH...: grep on the regular files there, up to 128 KiB each; ends the subshell.
late_grep() {
  how=$1 regex=$2
  shift 2
  [ $# = 0 ] || exec find -L "$@" -maxdepth 2 \( -name '*.wants' -o -name '*.requires' -o -name '*.upholds' \) -prune -o \
    -type f -size +0 -size -256 -exec grep "$how" "$regex" {} + 2>/dev/null
}

# late_paths: of what grep -H printed, lines of a path that is named and the file that names it; with `dir`
# in front where it may be the directory that a command starts in.
late_paths() {
  exec awk '
function say(name) {
  if (name ~ /^\/(dev|proc|sys|run|var\/(log|cache|spool|backups)|usr\/share\/(doc|man|zoneinfo)|usr\/lib\/systemd\/systemd-)|bin\/(sysctl|modprobe|kmod|insmod|env|[a-z]*sh|systemd-.*|ip|tee)$/ || (name SUBSEP path) in seen) return
  seen[name, path]
  if (++many == 1501) print "cut"
  if (many > 1500) return
  print (known[name]++ ? "again " : "new ") name " " path
  if (within && name ~ "/[^/]+/" && name !~ /^\/(usr\/([^\/]*|local\/[^\/]*)$|usr\/(lib|share)\/|home)/) print "dir " name " " path
}
{
    path = $0; sub(/:.*/, "", path); text = substr($0, length(path) + 2)
    within = text ~ /(^|[^A-Za-z-])(cd|run-parts)[ \t]/ || (text ~ /^[ \t]*(export[ \t]+)?[A-Za-z_]+=/ && text !~ /^Exec/)
    if (text ~ /^Exec[A-Za-z]*=[-@:+!|]*[a-z]/) {
      name = text; sub(/^[^=]*=[-@:+!|]*/, "", name); sub(/[^A-Za-z0-9_.-].*/, "", name)
      say("/usr/sbin/" name); say("/usr/bin/" name)
    }
    n = split(text, w, /[^A-Za-z0-9_.@+\/-]+/)
    for (i = 1; i <= n; i++) if (w[i] ~ /^\/[a-z]+\/./) say(w[i])
  }'
}

# Whether a file may be read by its name: /proc/kmsg is a regular file too, of no size, and never ends.
late_ends() { [ -f "$1" ] && [ -s "$1" ]; }

# late_take PATHS: those of regular files into pairs, the files into all_named, scripts among them, but for
# packages' own, into nested, and directories that commands start in into folders.
late_take() {
  nested=''
  set -f
  IFS=$nl
  for line in $1; do
    kind=${line%% *} line=${line#* }
    name=${line%% *}
    case $kind in
      cut) marks="${marks}unreadable /: more paths are named than are followed$nl" && continue ;;
      dir)
        case $nl$folders in *"$nl$name "*) continue ;; esac
        [ ! -d "$name" ] || folders=$folders$line$nl
        continue
        ;;
    esac
    [ "$name" != "${line#* }" ] && [ -f "$name" ] || continue
    pairs=$pairs$line$nl
    case $kind$nl$all_named in again* | *"$nl$name$nl"*) continue ;; esac
    all_named=$all_named$name$nl
    case $name in /usr/lib* | /usr/s* | /usr/bin/* | /sbin/* | /bin/* | /lib*) ;; *) nested=$nested$name$nl ;; esac
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
    /etc/systemd/system /etc/systemd/system.attached /run/systemd/system /run/systemd/system.attached \
    /run/systemd/generator /usr/local/lib/systemd/system \
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
    dhcp ppp wireguard logrotate.d apt/apt.conf.d libvirt/hooks systemd/system-sleep dhcpcd/dhcpcd-hooks; do
    for dir in /etc /usr/lib /run; do places="$places $dir/$path"; done
  done
  for path in $places /etc/systemd/system-generators /etc/systemd/user /var/spool/cron /var/spool/at /var/spool/incron /var/lib/cloud/instance \
    /var/lib/cloud/scripts /run/credentials/@system /usr/local/lib/tmpfiles.d /sbin/ifup-local \
    /usr/share/netfilter-persistent/plugins.d /usr/libexec/dhcpcd-hooks \
    /root/.bashrc /root/.profile /root/.bash_profile /root/.bash_login /root/.zshrc /root/.config/systemd/user /usr/local/bin /usr/local/sbin /opt /root/bin; do
    [ -e "$path" ] || continue
    if [ -r "$path" ] && { [ ! -d "$path" ] || [ -x "$path" ]; }; then
      case $path in /usr/local/s* | /usr/local/b* | /opt | /root/bin) scripts="$scripts $path" ;; *) set -- "$@" "$path" ;; esac
    else
      marks="${marks}unreadable $path: permission denied$nl"
    fi
  done
  have find || marks="${marks}unreadable /: find is missing on this host$nl"
  all_named='' pairs='' callers='' bare='' folders=''
  # shellcheck disable=SC2086 # patterns, in directories of fixed names
  late_take "$({
    grep -sHE '^Exec.*/(etc|opt|srv|root|home|var|usr/(local|lib|libexec|share))/' $packaged
    late_grep -HE "$naming" "$@" /etc/udev/rules.d /etc/pam.d /etc/default /etc/sysconfig
  } | late_paths)"
  # What those name, and what that names.
  for _ in 1 2; do
    set -f
    IFS=$nl
    # shellcheck disable=SC2086 # a path a line
    [ -z "$nested" ] || late_take "$(late_grep -HE "$naming" $nested | late_paths)"
  done
  unset IFS
  set +f
  # shellcheck disable=SC2086 # fixed names
  set -- "$@" $scripts
  set -f
  IFS=$nl
  # shellcheck disable=SC2086 # a path a line
  found=$(late_grep -lE "$concerns" "$@" $all_named)
  # What lies in a directory that a command starts in may be named from within it.
  if [ -n "$folders" ]; then
    # shellcheck disable=SC2046 # the same
    got=$(late_grep -lE "$concerns" $(for line in $folders; do echo "${line%% *}"; done))
    for file in $got; do
      for line in $folders; do
        [ "${file%/*}" != "${line%% *}" ] || found=$found$nl$file pairs="$pairs$file ${line#* }$nl"
      done
    done
  fi
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
        case $name in
          *[!A-Za-z0-9._-]*) continue ;;
          *[._-]*) ahead='(^|[^A-Za-z0-9._-])' ;; # also by its name alone
          *) ahead=/ ;;
        esac
        callers="$callers|$ahead$name([^A-Za-z0-9._-]|\$)" bare="$bare|$name"
        ;;
      /etc/systemd/*.service | /run/systemd/*.service | /usr/l*/systemd/*.service)
        [ ! -L "$file" ] || continue # kmod.service is another name of systemd-modules-load.service
        name=${file##*/} name=${name%.service}
        case $stock_names$name in *"/$name.service/"* | *[!A-Za-z0-9._@/-]*) ;; *) callers="$callers|systemctl[^#]*[ 	]${name%@}([^A-Za-z0-9_-]|\$)" ;; esac
        ;;
    esac
  done
  unset IFS
  set +f
  callers=${callers#|} elsewhere=''
  if [ -n "$callers" ]; then
    elsewhere="|$callers"
    [ -z "$bare" ] || callers="$callers|(^|[;&|(!]|^Exec[A-Za-z]*=[-@:+!]*|[ 	](root|exec|then|do|nohup|sudo|nice|bash|sh)[ 	])[ 	]*(${bare#|})([^A-Za-z0-9._-]|\$)"
    got=$(late_grep -lE "$callers" "$@")
    # shellcheck disable=SC2086 # the same
    found=$found$nl$got$nl$(grep -lsE "$callers" $packaged)
  fi
  # Programs' own hooks may lie anywhere in /etc.
  found=$found$nl$(find -L /etc -maxdepth 4 \( -name ssl -o -name pki -o -name selinux -o -name alternatives -o -name .git -o -name ansible \
    -o -name 'puppet*' -o -name 'sysctl.*' -o -name 'mod*.d' -o -name rules.d -o -name 'initramfs*' -o -path /etc/systemd \) -prune -o \
    -type f -size +0 -size -256 -exec grep -lE "run_estimation|ipv4[./]vs[./][^ ]*[*?[]$elsewhere" {} + 2>/dev/null)
}
