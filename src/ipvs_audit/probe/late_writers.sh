# shellcheck shell=sh
# What else sets the key, or loads ip_vs, at boot and later (units, cron, rc.local, tuned and the like), and
# the units that the sysctl and module loaders boot with. It brings the lines that concern them and no
# others: of what stands between them, that it stands there.

# The lines that concern sysctl or ip_vs, and those of a script that change nothing.
concerns='run_estimation|IPT_SYSCTL|(>|tee|^w)[^;#]*kernel/modprobe|(^|[^-.a-z])sysctl([^.a-z]|$)|systemd-sysctl([^.]|$)|systemctl.*systemd-sysctl|systemd-modules-load([^.]|$)|(modprobe|insmod|rmmod).*ip[_-]vs|^[a-zA-Z][-+!=~^$]*[ 	]+/((etc|run|var/run|lib|usr/lib|usr/local/lib)/(sysctl|modprobe|modules-load|udev)|proc/sys/[^ ]*[*?[])|ipv4[./]vs[./][^ ]*[*?[]|ipv4/vs/?([^A-Za-z0-9_./-]|$)|(^|[^a-z])(rsync|cp|tar)[ 	].*[ 	](/|/etc/?)([ 	;&|)]|$)|[ >"]/etc/(sysctl[.]|modprobe|modules-)|^[ 	]*Exec.*/(ipvsadm|keepalived|kube-proxy|kube-router|ldirectord|k3s|rke2)'
# What may write the key in a script that names it in another line.
writing='>[ 	"]*[^ >&]*[$]|open.*[^A-Za-z0-9 ]r?[wa+]b?[+]?[^A-Za-z0-9]|write|(tee|cp|dd|install)[ 	].*[$]'
harmless='^[ 	]*(exit( [0-9]+)?|set -[eux]+|:|true|sleep [0-9.]+|(export )?PATH=[^ ;&|$`(]*|touch /var/lock/subsys/local)[ 	]*$'
ordering='^[ 	]*(Condition|Assert|After|Before|DefaultDependencies|Type|User|DynamicUser|On[A-Z]|Unit|Service|WantedBy|RequiredBy|Requires|BindsTo|PrivateNetwork|PrivateUsers|NetworkNamespacePath|JoinsNamespaceOf|ProtectKernelTunables|RootDirectory|RootImage|ReadOnly|Inaccessible|TemporaryFileSystem|Bind|ProcSubset|Environment=.?MODPROBE_OPTIONS)[A-Za-z]*[ 	]*='
# Settings of a unit that change neither whether nor how its commands run; of others the name is brought.
quiet='^[ 	]*(Environment|(Description|Documentation|RemainAfterExit|Standard|Syslog|Log[A-Z]|Wants|Alias|Also|Nice|Slice|KillMode|Restart|PrivateTmp|ProtectHome|Timeout)[A-Za-z]*)[ 	]*='

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
    if (sub(/^IPT_SYSCTL=/, "", path)) on = 1 # ufw gives it to sysctl
    if (on && path ~ "^/[A-Za-z0-9_.@+/-]+$" && path !~ "^/(dev|proc)/|bin/[^/]*$|^/etc/sysctl[.](d/|conf$)|^/run/sysctl[.]d/|^/usr/lib/sysctl[.]d/|^/usr/local/lib/sysctl[.]d/|^/lib/sysctl[.]d/") print "named " path
  }
}
# The key may go by a variable. What is read from it is another thing.
function follow(text,   name) {
  if (!match(text, NAMES)) return
  name = substr(text, 1, RSTART - 1)
  if (match(name, /[A-Za-z_][A-Za-z0-9_]*[ \t]*:?=[ \t]*["\047@]?[A-Za-z0-9_.\/${}-]*$/)) name = substr(name, RSTART)
  else if (!sub(/^.*for[ \t]+(my )?[$]?/, "", name)) return
  sub(/[^A-Za-z0-9_].*/, "", name)
  if (name != "") NAMES = NAMES "|[$][{]?" name "([^A-Za-z0-9_]|$)" (length(name) > 2 ? "|(^|[^A-Za-z0-9_.$-]|(self|this)[.])" name "([^A-Za-z0-9_]|$)" : "")
}
function take(number, text, unit,   bring, hit) {
  if (text ~ /^[ \t\r]*$/ || (text ~ /^[ \t]*[#;]/ && !(number == 1 && text ~ /^#!/))) return
  gsub(/\036/, "?", text)
  hit = text ~ CONCERNS || (CALLERS != "" && text ~ CALLERS) || text ~ NAMES
  if (hit && length(NAMES) < 500) follow(text)
  if (unit && !hit && text !~ /^[ \t]*Exec/ && text !~ ORDERING) {
    if ((text ~ QUIET && text !~ /MODPROBE/) || text !~ /=/) return
    sub(/=.*/, "=", text); hit = 2
  }
  bring = hit || (unit && text ~ ORDERING) || (!unit && (text ~ HARMLESS || number == 1 && text ~ /^#!/))
  if (!bring) {
    if (!writes && text ~ WRITING) { print "writes " number; writes = 1 }
    if (!gap) { print "other " number; gap = 1; brought++ }
    return
  }
  gap = 0; brought++
  if (hit == 1) named_in(text)
  if (length(text) > 1024) text = substr(text, 1, 1024) "[cut]"
  print "line " number " " text
}
BEGIN {
  CONCERNS = ENVIRON["CONCERNS"]; HARMLESS = ENVIRON["HARMLESS"]; ORDERING = ENVIRON["ORDERING"]; QUIET = ENVIRON["QUIET"]; CALLERS = ENVIRON["CALLERS"]; WRITING = ENVIRON["WRITING"]
  for (a = 1; a < ARGC; a++) {
    path = ARGV[a]
    if ((getline text < path) > 0 && text ~ /^\177ELF/) continue
    close(path)
    unit = path ~ "/systemd/[^/]*/" && path ~ "[.](service|timer|conf|path|socket)$"
    print "file " shown(path)
    if (substr(ENVIRON["FLAGS"], a, 1) == "x") print "exec"
    number = 0; held = ""; had = 0; gap = 0; brought = 0; writes = 0; NAMES = "run_estimation"
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

# Units that may start unit $1 by their own name.
late_starters() {
  names=$names$1/${1%.service}.timer/${1%.service}.path/${1%.service}.socket/${1%@.service}.socket/
}

# A unit's file, or a drop-in: its names, and for which unit the drop-in is.
late_unit() {
  case $1 in
    */systemd/*.service | */systemd/*.socket) late_starters "${1##*/}" ;;
    */systemd/*.service.d/* | */systemd/*.socket.d/*)
      name=${1%/*} name=${name##*/} name=${name%.d}
      late_starters "$name"
      case $name in *[!A-Za-z0-9@:._\\-]*) ;; *) dropped="$dropped $name" ;; esac
      ;;
  esac
}

# Whether unit $1, or the template that it is an instance of, is one of those.
late_named() {
  case $names in *"/$1/"*) return 0 ;; esac
  case $1 in *@*) case $names in *"/${1%%@*}@.${1##*.}/"*) return 0 ;; esac ;; esac
  return 1
}

late_writers() {
  names='/systemd-sysctl.service/systemd-modules-load.service/systemd-sysext.service/systemd-confext.service/'
  stock_names=$names
  late_search
  set --
  for name in systemd-sysctl systemd-modules-load; do
    have_unit=''
    case $name in # Debian's aliases, and once the drop-ins of both
      systemd-sysctl) shared="procps.service.d systemd-.service.d service.d" ;;
      *) shared=kmod.service.d ;;
    esac
    for dir in $unit_dirs; do
      if [ -z "$have_unit" ] && { [ -e "$dir/$name.service" ] || [ -L "$dir/$name.service" ]; }; then
        have_unit=$dir/$name.service
        marks="${marks}unit $name.service $have_unit$nl"
        late_ends "$have_unit" && set -- "$@" "$have_unit"
      fi
      for sub in "$name.service.d" $shared; do
        [ -d "$dir/$sub" ] || continue
        for file in "$dir/$sub"/*.conf; do
          late_ends "$file" && set -- "$@" "$file"
        done
      done
    done
  done
  seen=$nl flags='' count=0 stock='' dropped='' own=''
  for file; do
    seen=$seen$file$nl flags=${flags}-
    case $file in *.service) stock="$stock$file$nl" ;; esac
  done
  set -f
  IFS=$nl
  for file in $found; do
    case $seen in *"$nl$file$nl"*) continue ;; esac
    seen=$seen$file$nl
    late_ends "$file" || marks="${marks}unreadable /: a file that concerns sysctl has a name of several lines$nl"
    if [ -L "$file" ]; then # kmod.service is another name of systemd-modules-load.service
      for name in $stock; do [ "$file" -ef "$name" ] && continue 2; done
    fi
    count=$((count + 1))
    if [ "$count" -gt 60 ]; then
      marks="${marks}unreadable /: more files concern sysctl than the probe brings$nl"
      break
    fi
    set -- "$@" "$file"
    case $nl$called in *"$nl$file$nl"*) marks="${marks}called $file$nl" ;; esac
    if [ -x "$file" ]; then flags=${flags}x; else flags=${flags}-; fi
    late_unit "$file"
    case $file in
      */systemd/user/* | */systemd/*.d/*) ;;
      */systemd/*.service | */systemd/*.socket) own="$own ${file##*/}" ;;
    esac
  done
  unset IFS
  set +f
  # Which of several files of a name counts: one in /etc replaces or masks a package's. Those in /run are
  # gone at a boot.
  for name in $own; do
    for dir in $unit_dirs; do
      case $dir in /run/*) continue ;; esac
      if [ -e "$dir/$name" ] || [ -L "$dir/$name" ]; then
        marks="${marks}unit $name $dir/$name$nl"
        break
      fi
    done
  done
  # Other drop-ins of the units that were found may confine these.
  for dir in $unit_dirs; do
    for file in "$dir"/*.service.d/*.conf; do
      name=${file%.d/*} name=${name##*/}
      case $name in # foo-.service.d is for all units whose names begin with foo-
        *-.service) case $names in *"/${name%.service}"*) ;; *) continue ;; esac ;;
        *) case $names in *"/$name/"*) ;; *) continue ;; esac ;;
      esac
      case $seen in *"$nl$file$nl"*) continue ;; esac
      late_ends "$file" || continue
      seen=$seen$file$nl flags=${flags}-
      set -- "$@" "$file"
    done
  done
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
  [ $# = 0 ] || text=$(CONCERNS=$concerns HARMLESS=$harmless ORDERING=$ordering QUIET=$quiet CALLERS=$callers WRITING=$writing FLAGS=$flags \
    awk "$shown_awk$late_awk" "$@")$nl
  # The files that their sysctl reads; those that do not name the key are of no interest.
  set --
  seen=$nl
  set -f
  IFS=$nl
  for line in $text; do
    case $line in named\ *)
      file=${line#named }
      case $seen in *"$nl$file$nl"*) continue ;; esac
      seen=$seen$file$nl
      late_ends "$file" && set -- "$@" "$file"
      ;;
    esac
  done
  unset IFS
  set +f
  if [ $# -gt 0 ]; then
    got=$(late_grep -lE 'run_estimation|^[^#;]*[*?[].*=' "$@")
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
  if [ "$names" != "$stock_names" ]; then
    starting='^[ 	]*(Unit|Service|Wants|Requires|BindsTo|Upholds|OnSuccess|OnFailure)[ 	]*=|^[^#]*SYSTEMD_WANTS'
    set -- /etc/udev/rules.d
    own=''
    for dir in $unit_dirs; do
      case $dir in
        /usr/lib/* | /lib/*) own="$own $dir/*.timer $dir/*.path $dir/*.socket $dir/*.service $dir/*.target $dir/*.d/*.conf" ;;
        *) set -- "$@" "$dir" ;;
      esac
    done
    # shellcheck disable=SC2086 # patterns, in directories of fixed names
    starts=$(
      grep -sHE "$starting" $own /usr/lib/udev/rules.d/*.rules
      late_grep -HE "$starting" "$@"
    )
  fi
  set -f
  IFS=$nl
  for line in $starts; do
    file=${line%%:*} line=${line#*:}
    case $file in
      *.d/*.conf) file=${file%/*} file=${file%.d} ;;
      *.timer | *.path | *.socket | *.service | *.target | *.rules) ;;
      *) continue ;;
    esac
    file=${file##*/}
    IFS=' =",	'
    for name in $line; do
      case $name in *.service | *.socket) late_named "$name" || continue ;; *) continue ;; esac
      case $line in
        *Unit*=* | *Service*=*)
          names=$names$file/
          marks="${marks}starts $file $name$nl"
          ;;
        *) case $stock_names in *"/$name/"*) ;; *) marks="${marks}wanted $name $file$nl" ;; esac ;;
      esac
    done
  done
  unset IFS
  set +f
  for dir in $unit_dirs; do
    for link in "$dir"/*.wants/* "$dir"/*.requires/* "$dir"/*.upholds/*; do
      if late_named "${link##*/}"; then
        name=${link%/*} name=${name##*/}
        case $dir in /run/*) name=/run/$name ;; esac # gone at a boot
        marks="${marks}wanted ${link##*/} $name$nl"
      fi
    done
  done
  for name in sysctl modprobe; do
    for dir in /usr/sbin /sbin /usr/bin /bin; do
      [ ! -f "$dir/$name" ] || [ ! -x "$dir/$name" ] || marks="${marks}program $dir/$name $name$nl"
    done
  done
  if get /etc/tuned/active_profile; then
    # What any profile includes counts as active.
    active=$got
    get /etc/tuned/post_loaded_profile && active="$active $got"
    marks="${marks}tuned $active $(grep -rshE '^[ 	]*include[ 	]*=' /etc/tuned /usr/lib/tuned | tr '=,;\n' '    ')$nl"
  fi
  for path in /etc/extensions /run/extensions /var/lib/extensions /usr/local/lib/extensions \
    /run/confexts /var/lib/confexts /usr/local/lib/confexts /usr/lib/confexts; do
    for file in "$path"/*; do
      [ ! -e "$file" ] || marks="${marks}extension $path$nl"
      break
    done
  done
  for path in /etc/credstore.encrypted/sysctl.* /usr/lib/credstore.encrypted/sysctl.*; do
    [ ! -e "$path" ] || marks="${marks}unreadable $path: encrypted$nl"
  done
  for path in /usr/.systemd-sysext /etc/.systemd-confext; do
    [ ! -e "$path" ] || marks="${marks}merged $path$nl"
  done
  frame late-writers - "grep -rE 'run_estimation|sysctl' /etc/systemd /usr/lib/systemd/system /etc/cron* /etc/rc.local ...; ls *.wants" "$marks${text}end$nl"
}
