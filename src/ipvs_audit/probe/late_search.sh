# shellcheck shell=sh
# Which files may set the key, or load ip_vs, at boot and later, and who names them.

# What a file holds that may set the key by itself.
names_key='run_estimation|ipv4[./]vs[./][^ ]*[*?[]|ipv4/vs/?([^A-Za-z0-9_./-]|$)|insmod .*ip[_-]vs|modprobe .*-[a-z]*i[a-z-]* .*ip[_-]vs'

# Lines that are no comments and name a path where scripts may lie, or a program by its name alone.
naming='^[ 	]*[^# 	].*/[a-z]+/|^Exec[A-Za-z]*=[-@:+!|]*[a-z]'

# late_grep OPTIONS REGEX PATH...: grep on the regular files there, up to 128 KiB each; ends the subshell.
late_grep() {
  how=$1 regex=$2
  shift 2
  [ $# = 0 ] || exec find -L "$@" -maxdepth 2 \( -name '*.wants' -o -name '*.requires' -o -name '*.upholds' \) -prune -o \
    -type f -size +0 -size -256 -exec grep "$how" "$regex" {} + 2>/dev/null
}

# late_wide OPTIONS REGEX DIRECTORY...: names of files anywhere below these that match and that something may run or
# read: no documents, sources, copies and logs; ends the subshell, with the status of timeout(1). Names are what find
# takes longest for. So files are looked at first, by their size; -prune, which does nothing to a file, keeps find from
# putting the names of directories before them.
late_wide() {
  how=$1 regex=$2 limit=''
  shift 2
  unset IFS
  ! have timeout || limit='timeout 10'
  # shellcheck disable=SC2086 # a command's words
  [ $# = 0 ] || exec $limit find -L "$@" -maxdepth 5 -xdev \( -type f -prune \( ! -size +0 -o ! -size -256 -o -path '/etc/sysctl.*' \
    -o -name '.*hist*' -o -name .viminfo -o -name '.git*' -o -name 'ipvs?audit*' -o -name '*.[cho]' -o -name '*.go' -o -name '*.html' \
    -o -name '*.log' -o -name '*.xml' \) \) -o -type f -exec grep "$how" "$regex" {} + -o \( -name ssl -o -name selinux -o -name alternatives \
    -o -name '.git*' -o -name ansible -o -name roles -o -name playbooks -o -name '*_vars' -o -name 'puppet*' -o -name sysctl.d \
    -o -name 'mod*.d' -o -name 'initramfs*' -o -name doc -o -name docs -o -name man \
    -o -name reports -o -name 'ipvs?audit*' -o -name '*-packages' -o -name node_modules -o -name backup -o -name backups \
    -o -name '.*hist*' -o -path /etc/systemd -o -path '/root/.*' \) -prune 2>/dev/null
}

# late_slow STATUS: takes note where a wide search was ended before its end.
late_slow() {
  case $1 in 124 | 143) marks="${marks}unreadable /: the search for files that name the key takes too long$nl" ;; esac
}

# late_paths: of lines, the paths that they name; with a slash behind where scripts may be named from within it.
late_paths() {
  exec awk '
function say(name) {
  if (name ~ /^\/(dev|proc|sys|run|var\/(log|cache|spool|backups)|usr\/share\/(doc|man|zoneinfo)|usr\/lib\/systemd\/systemd-)|bin\/(sysctl|modprobe|kmod|insmod|env|[a-z]*sh|systemd-.*|ip|tee)$/ || name in seen) return
  seen[name]
  if (++many == 1501) print "cut"
  if (many <= 1500) print name
}
{
    within = /(^|[^A-Za-z-])(cd|run-parts)[ \t]/ || (/^[ \t]*(export[ \t]+)?[A-Za-z_]+=/ && !/^Exec/)
    if (/^Exec[A-Za-z]*=[-@:+!|]*[a-z]/) {
      name = $0; sub(/^[^=]*=[-@:+!|]*/, "", name); sub(/[^A-Za-z0-9_.-].*/, "", name)
      say("/usr/sbin/" name); say("/usr/bin/" name)
    }
    n = split($0, w, /[^A-Za-z0-9_.@+\/-]+/)
    for (i = 1; i <= n; i++) if (w[i] ~ /^\/[a-z]+\/./) {
      say(w[i])
      if (within && w[i] ~ "/[^/]+/" && w[i] !~ /^\/(usr\/([^\/]*|local\/[^\/]*)$|usr\/(lib|share)\/|home\/[^\/]*$)/) say(w[i] "/")
    }
  }'
}

# Whether a file may be read by its name: /proc/kmsg is a regular file too, of no size, and never ends.
late_ends() { [ -f "$1" ] && [ -s "$1" ]; }

# late_take PATHS: those of regular files into called, scripts among them, but for packages' own, into nested, and
# directories into folders.
late_take() {
  nested=''
  set -f
  IFS=$nl
  for name in $1; do
    case $nl$called$nl in *"$nl$name$nl"*) continue ;; esac
    case $name in
      cut) marks="${marks}unreadable /: more paths are named than are followed$nl" ;;
      */) [ ! -d "$name" ] || folders=$folders$name$nl ;;
      *)
        [ -f "$name" ] || continue
        called=$called$name$nl
        case $name in /usr/lib* | /usr/s* | /usr/bin/* | /sbin/* | /bin/* | /lib*) ;; *) nested=$nested$name$nl ;; esac
        ;;
    esac
  done
  unset IFS
  set +f
}

# Sets $found to the files that concern sysctl or ip_vs, $called to what others name by its path, $callers to what tells
# of files that are named without one, $unit_dirs, and $marks to what could not be searched.
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
  unit_dirs=$* packaged=''
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
    /root/.bashrc /root/.profile /root/.bash_profile /root/.config/systemd/user; do
    [ -e "$path" ] || continue
    if [ -r "$path" ] && { [ ! -d "$path" ] || [ -x "$path" ]; }; then
      set -- "$@" "$path"
    else
      marks="${marks}unreadable $path: permission denied$nl"
    fi
  done
  have find || marks="${marks}unreadable /: find is missing on this host$nl"
  wide='' folders=''
  for dir in /etc /usr/local /opt /srv /root /home/*/bin; do [ ! -d "$dir" ] || wide=$wide$dir$nl; done
  called='' callers=''
  # shellcheck disable=SC2086 # patterns, in directories of fixed names
  late_take "$({
    grep -shE '^Exec.*/(etc|opt|srv|root|home|var|usr/(local|lib|libexec|share))/' $packaged
    late_grep -hE "$naming" "$@" /etc/udev/rules.d /etc/pam.d /etc/default /etc/sysconfig
  } | late_paths)"
  # What those name, and what that names.
  for _ in 1 2; do
    set -f
    IFS=$nl
    # shellcheck disable=SC2086 # a path a line
    [ -z "$nested" ] || late_take "$(late_grep -hE "$naming" $nested | late_paths)"
  done
  set -f
  IFS=$nl
  # shellcheck disable=SC2086 # a path a line
  found=$(late_grep -lE "$concerns" "$@" $called)
  # What names the key may write it, wherever it lies: nobody knows all that runs.
  # shellcheck disable=SC2086 # a path a line
  named=$(late_wide -lF "run_estimation${nl}ip_vs${nl}ip-vs${nl}ipv4/vs${nl}ipv4.vs" $wide)
  late_slow $?
  # shellcheck disable=SC2086 # a path a line
  named=$(late_grep -lE "$names_key" $folders $named)
  unset IFS
  set +f
  # shellcheck disable=SC2086 # patterns, in directories of fixed names
  placed=$nl$found$nl found=$found$nl$(
    grep -lsE "$concerns" $packaged
    exec find -L /usr/sbin /usr/bin -type f -size -32 -exec grep -lF run_estimation {} + 2>/dev/null
  )$nl$named
  # Scripts that nothing known runs by their place, and files that name the key: look for who names them.
  set -f
  IFS=$nl
  for file in $found; do
    name=${file##*/} dir=${file%/*}
    case $file in
      */systemd/*.service)
        [ ! -L "$file" ] || continue # kmod.service is another name of systemd-modules-load.service
        name=${name%.service}
        case $stock_names$name in *"/$name.service/"* | *[!A-Za-z0-9._@/-]*) ;; *) callers="$callers|systemctl[^#]*[ 	]${name%@}([^A-Za-z0-9_-]|\$)" ;; esac
        continue
        ;;
    esac
    case $placed in *"$nl$file$nl"*) continue ;; esac
    case $name in
      *[!A-Za-z0-9._-]*) continue ;;
      sysctl.conf) ahead="([\$][}{A-Za-z_]*|[.]|${dir##*/})/" ;;
      *[._-]*) ahead='(^|[^A-Za-z0-9._-])' ;; # also by its name alone
      *) ahead=/ ;;
    esac
    callers="$callers|$ahead$name([^A-Za-z0-9._-]|\$)"
  done
  callers=${callers#|}
  if [ -n "$callers" ]; then
    # shellcheck disable=SC2086 # a path a line
    got=$(late_wide -lE "$callers" $wide)
    late_slow $?
    found=$found$nl$got
    unset IFS
    set +f
    got=$(late_grep -lE "$callers" "$@")
    # shellcheck disable=SC2086 # the same
    found=$found$nl$got$nl$(grep -lsE "$callers" $packaged)
  fi
  unset IFS
  set +f
}
