# shellcheck shell=sh
# What else sets the key, or loads ip_vs, at boot and later (units, cron, rc.local, tuned and the like), and
# the units that the sysctl and module loaders boot with. It brings the lines that concern them and no
# others: of what stands between them, that it stands there.

# The lines that concern sysctl or ip_vs, and those of a script that change nothing.
late_concerns='run_estimation|(^|[^-.a-z])sysctl([^.a-z]|$)|systemd-sysctl([^.]|$)|systemctl.*systemd-sysctl|systemd-modules-load([^.]|$)|(modprobe|insmod).*ip[_-]vs|^[a-zA-Z][-+!=~^$]*[ 	]+/((etc|run|var/run|lib|usr/lib|usr/local/lib)/(sysctl|modprobe|modules-load|udev)|proc/sys/net/ipv4/[^ ]*[*?[])'
late_harmless='^[ 	]*(exit( [0-9]+)?|set -[eux]+|:|true|sleep [0-9.]+|(export )?PATH=[^ ;&|$`(]*|touch /var/lock/subsys/local)[ 	]*$'
late_ordering='^[ 	]*(Condition|Assert|After|Before|DefaultDependencies|Type|User|DynamicUser|On[A-Z]|Unit|Service|WantedBy|RequiredBy|Requires|BindsTo|PrivateNetwork|PrivateUsers|NetworkNamespacePath|JoinsNamespaceOf|ProtectKernelTunables|RootDirectory|RootImage)[A-Za-z]*[ 	]*='

# Takes files as arguments; FLAGS holds a letter for each: x for one that may be executed.
# shellcheck disable=SC2016 # awk's dollars
late_awk='
function named_in(text,   w, n, i, path, on) {
  gsub(/[;&|]+/, " ; ", text); gsub(/[()"\047]/, " ", text)
  n = split(text, w, " ")
  for (i = 1; i <= n; i++) {
    if (w[i] == ";") on = 0
    if (w[i] ~ /(^|\/|=[-@+!:]*)(systemd-)?sysctl$/) { on = 1; continue }
    path = w[i]; sub(/^(-[a-zA-Z]*[pf]|--load=)/, "", path)
    if (on && path ~ "^/[A-Za-z0-9_.@+/-]+$" && path !~ "^/(dev|proc)/|bin/[^/]*$|/sysctl[.](d/|conf$)") print "named " path
  }
}
function take(number, text, unit,   bring, hit) {
  if (text ~ /^[ \t\r]*$/ || (text ~ /^[ \t]*[#;]/ && !(number == 1 && text ~ /^#!/))) return
  gsub(/\036/, "?", text)
  hit = text ~ CONCERNS || (CALLERS != "" && text ~ CALLERS)
  if (unit && !hit && text !~ /^[ \t]*Exec/ && text !~ ORDERING) return
  bring = hit || (unit && text ~ ORDERING) || (!unit && (text ~ HARMLESS || number == 1 && text ~ /^#!/))
  if (!bring) { if (!gap) { print "other " number; gap = 1; brought++ } return }
  gap = 0; brought++
  if (hit) named_in(text)
  if (length(text) > 1024) text = substr(text, 1, 1024) "[cut]"
  print "line " number " " text
}
BEGIN {
  CONCERNS = ENVIRON["CONCERNS"]; HARMLESS = ENVIRON["HARMLESS"]; ORDERING = ENVIRON["ORDERING"]; CALLERS = ENVIRON["CALLERS"]
  for (a = 1; a < ARGC; a++) {
    path = ARGV[a]; unit = path ~ "/systemd/[^/]*/" && path ~ "[.](service|timer|conf|path|socket)$"
    print "file " shown(path)
    if (substr(ENVIRON["FLAGS"], a, 1) == "x") print "exec"
    number = 0; held = ""; had = 0; gap = 0; brought = 0
    while ((getline text < path) > 0) {
      number++
      if (!had) first = number
      if (text ~ /\\$/) { held = held substr(text, 1, length(text) - 1) " "; had = 1; continue }
      take(first, held text, unit); held = ""; had = 0
      if (brought > 200) { print "unread more lines than the probe brings"; break }
    }
    if (had) take(first, held, unit)
    close(path)
  }
  exit
}'

# search REGEX DIRECTORY...: the regular files there that match, up to 128 KiB each.
late_search() {
  regex=$1
  shift
  got=$(find -L "$@" -maxdepth 2 \( -name '*.wants' -o -name '*.requires' \) -prune -o \
    -type f -size +0 -size -256 -exec grep -lE "$regex" {} + 2>/dev/null)
}

# Units that may start unit $1 by their own name.
late_starters() {
  names=$names$1/${1%.service}.timer/${1%.service}.path/${1%.service}.socket/
}

# Whether unit $1, or the template that it is an instance of, is one of those.
late_named() {
  case $names in *"/$1/"*) return 0 ;; esac
  case $1 in *@*) case $names in *"/${1%%@*}@.${1##*.}/"*) return 0 ;; esac ;; esac
  return 1
}

late_writers() {
  marks=''
  set --
  for dir in /etc/systemd/system.control /run/systemd/system.control /run/systemd/transient /run/systemd/generator.early \
    /etc/systemd/system /run/systemd/system /run/systemd/generator /usr/local/lib/systemd/system \
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
  for path in /etc/crontab /etc/anacrontab /etc/cron.d /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly \
    /var/spool/cron /etc/rc.local /etc/rc.d/rc.local /etc/init.d /etc/sysconfig/modules /etc/rc.modules /etc/local.d \
    /etc/tuned /etc/tuned/profiles /usr/lib/tuned /usr/lib/tuned/profiles /etc/ufw /etc/default/ufw /etc/NetworkManager/dispatcher.d \
    /usr/lib/NetworkManager/dispatcher.d /etc/networkd-dispatcher /usr/lib/networkd-dispatcher /etc/network /etc/cloud \
    /var/lib/cloud/instance /var/lib/cloud/scripts /etc/keepalived /etc/kubernetes/manifests /etc/credstore \
    /run/credstore /usr/lib/credstore /run/credentials/@system \
    /etc/tmpfiles.d /run/tmpfiles.d /usr/local/lib/tmpfiles.d /usr/lib/tmpfiles.d /usr/local/bin /usr/local/sbin /opt /root/bin; do
    [ -e "$path" ] || continue
    if [ -r "$path" ] && { [ ! -d "$path" ] || [ -x "$path" ]; }; then
      set -- "$@" "$path"
    else
      marks="${marks}unreadable $path: permission denied$nl"
    fi
  done
  have find || marks="${marks}unreadable /: find is missing on this host$nl"
  callers=''
  late_search "$late_concerns" "$@"
  # shellcheck disable=SC2086 # patterns, in directories of fixed names
  found=$got$nl$(grep -lsE "$late_concerns" $packaged)
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
    late_search "$callers" "$@"
    # shellcheck disable=SC2086 # the same
    found=$found$nl$got$nl$(grep -lsE "$callers" $packaged)
  fi
  set --
  names='/systemd-sysctl.service/systemd-modules-load.service/systemd-sysext.service/systemd-confext.service/'
  stock_names=$names
  for name in systemd-sysctl systemd-modules-load; do
    have_unit=''
    case $name in systemd-sysctl) other_name=procps ;; *) other_name=kmod ;; esac # Debian's aliases
    for dir in $unit_dirs; do
      if [ -z "$have_unit" ] && { [ -e "$dir/$name.service" ] || [ -L "$dir/$name.service" ]; }; then
        have_unit=$dir/$name.service
        marks="${marks}unit $name.service $have_unit$nl"
        [ ! -s "$have_unit" ] || [ ! -f "$have_unit" ] || set -- "$@" "$have_unit"
      fi
      for sub in "$name.service.d" "$other_name.service.d" systemd-.service.d service.d; do
        [ -d "$dir/$sub" ] || continue
        for file in "$dir/$sub"/*.conf; do
          [ ! -f "$file" ] || [ ! -s "$file" ] || set -- "$@" "$file"
        done
      done
    done
  done
  seen=$nl flags='' count=0 stock='' dropped=''
  for file; do
    seen=$seen$file$nl flags=${flags}-
    case $file in *.service) stock="$stock$file$nl" ;; esac
  done
  set -f
  IFS=$nl
  for file in $found; do
    case $seen in *"$nl$file$nl"*) continue ;; esac
    seen=$seen$file$nl
    if [ -L "$file" ]; then # kmod.service is another name of systemd-modules-load.service
      for name in $stock; do [ "$file" -ef "$name" ] && continue 2; done
    fi
    count=$((count + 1))
    if [ "$count" -gt 60 ]; then
      marks="${marks}unreadable /: more files concern sysctl than the probe brings$nl"
      break
    fi
    set -- "$@" "$file"
    if [ -x "$file" ]; then flags=${flags}x; else flags=${flags}-; fi
    case $file in
      */systemd/*.service | */systemd/*.socket) late_starters "${file##*/}" ;;
      */systemd/*.service.d/* | */systemd/*.socket.d/*)
        name=${file%/*} name=${name##*/} name=${name%.d}
        late_starters "$name"
        case $name in *[!A-Za-z0-9@:._\\-]*) ;; *) dropped="$dropped $name" ;; esac
        ;;
    esac
  done
  unset IFS
  set +f
  # Drop-ins may be for a unit by another name of it.
  for name in $dropped; do
    for dir in $unit_dirs; do
      [ ! -L "$dir/$name" ] || ! other=$(readlink -f "$dir/$name") || [ "${other##*/}" = "$name" ] || {
        late_starters "${other##*/}"
        marks="${marks}alias $name ${other##*/}$nl"
      }
    done
  done
  text=''
  [ $# = 0 ] || text=$(CONCERNS=$late_concerns HARMLESS=$late_harmless ORDERING=$late_ordering CALLERS=$callers FLAGS=$flags \
    awk "$shown_awk$late_awk" "$@")$nl
  # The files that their sysctl reads; those that do not name the key are of no interest.
  set --
  set -f
  IFS=$nl
  for line in $text; do
    case $line in named\ *)
      file=${line#named }
      case $seen in *"$nl$file$nl"*) continue ;; esac
      seen=$seen$file$nl
      [ ! -f "$file" ] || set -- "$@" "$file"
      ;;
    esac
  done
  unset IFS
  set +f
  if [ $# -gt 0 ]; then
    late_search 'run_estimation|^[^#;]*[*?[].*=' "$@"
    set -f
    IFS=$nl
    for file in $got; do
      got=$(awk '/run_estimation|^[^#;]*[*?[].*=/ { print "line " NR " " substr($0, 1, 1024) }' "$file")
      text="${text}settings $file$nl$got$nl"
    done
    unset IFS
    set +f
  fi
  # What starts a unit of another name.
  starts=''
  # shellcheck disable=SC2086 # directories of fixed names
  set -- $unit_dirs
  for dir; do
    shift
    set -- "$@" "$dir"/*.timer "$dir"/*.path "$dir"/*.socket "$dir"/*.timer.d/*.conf "$dir"/*.path.d/*.conf "$dir"/*.socket.d/*.conf
  done
  [ "$names" = "$stock_names" ] || starts=$(grep -sHE '^[ 	]*(Unit|Service)[ 	]*=' "$@" /dev/null)
  set -f
  IFS=$nl
  for line in $starts; do
    file=${line%%:*} name=${line##*=} name=${name##*[ 	]}
    case $file in *.d/*.conf) file=${file%/*} file=${file%.d} ;; esac
    late_named "$name" || continue
    names=$names${file##*/}/
    marks="${marks}starts ${file##*/} $name$nl"
  done
  unset IFS
  set +f
  for dir in $unit_dirs; do
    for link in "$dir"/*.wants/* "$dir"/*.requires/*; do
      if late_named "${link##*/}"; then
        name=${link%/*}
        marks="${marks}wanted ${link##*/} ${name##*/}$nl"
      fi
    done
  done
  for name in sysctl modprobe; do
    for dir in /usr/sbin /sbin /usr/bin /bin; do
      [ ! -f "$dir/$name" ] || [ ! -x "$dir/$name" ] || marks="${marks}program $dir/$name $name$nl"
    done
  done
  if get /etc/tuned/active_profile; then marks="${marks}tuned $got$nl"; fi
  for path in /etc/extensions /run/extensions /var/lib/extensions /usr/local/lib/extensions \
    /run/confexts /var/lib/confexts /usr/local/lib/confexts /usr/lib/confexts; do
    for file in "$path"/*; do
      [ ! -e "$file" ] || marks="${marks}extension $path$nl"
      break
    done
  done
  for path in /usr/.systemd-sysext /etc/.systemd-confext; do
    [ ! -e "$path" ] || marks="${marks}merged $path$nl"
  done
  frame late-writers - "grep -rE 'run_estimation|sysctl' /etc/systemd /usr/lib/systemd/system /etc/cron* /etc/rc.local ...; ls *.wants" "$marks${text}end$nl"
}
