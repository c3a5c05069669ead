# shellcheck shell=sh
# Who runs the probe, which machine this is, and the state of ip_vs.

who() {
  uid='' cap=0
  while read -r key one two _; do
    case $key in Uid:) uid=$two ;; CapEff:) cap=$one && break ;; esac
  done </proc/self/status
  user=root
  [ "$uid" = 0 ] || user=$(id -un 2>/dev/null)
  peek=$((0x$cap >> 19 & 1))  # CAP_SYS_PTRACE: sees every process's namespaces
  enter=$((0x$cap >> 21 & 1)) # CAP_SYS_ADMIN: may enter them
  for tool in awk stat sha256sum grep sleep; do
    have "$tool" || blind "$tool is missing on this host"
  done
}

host() {
  text=''
  for pair in release:/proc/sys/kernel/osrelease hostname:/proc/sys/kernel/hostname \
    machine-id:/etc/machine-id boot-id:/proc/sys/kernel/random/boot_id uptime:/proc/uptime \
    possible:/sys/devices/system/cpu/possible arch:/proc/sys/kernel/arch; do
    get "${pair#*:}" && text="$text${pair%%:*}=$got$nl"
    case $pair in release:*) release=$got ;; esac
  done
  [ -r /proc/sys/kernel/arch ] || text="${text}arch=$(uname -m)$nl"
  text="${text}clock=$(date -u +%s)$nl"
  file=/etc/os-release
  [ -r "$file" ] || file=/usr/lib/os-release
  if [ -r "$file" ]; then
    while IFS= read -r line; do
      case $line in
        ID=* | VERSION_ID=* | PRETTY_NAME=*) text="${text}os $line$nl" ;;
      esac
    done <"$file"
  fi
  frame host - 'cat /proc/sys/kernel/osrelease /etc/os-release /etc/machine-id; uname -m; date -u +%s; ...' "$text"
}

# knows_switch FILE: sets $knows to the names in the module file that hold `estimation`, a line each; to
# probe-cannot-unpack where it cannot be read; and $unpack to the command that reads it. Busybox's grep
# sees nothing behind a NUL.
knows_switch() {
  case $1 in
    *.gz) unpack='gzip -dc' ;;
    *.xz) unpack='xz -dc' ;;
    *.zst) unpack='zstd -dcq' ;;
    *) unpack='cat --' ;;
  esac
  have "${unpack%% *}" || ! have busybox || unpack="busybox $unpack"
  # shellcheck disable=SC2086 # the words of a command
  knows=$(
    IFS=' '
    { $unpack "$1" 2>/dev/null || echo probe-cannot-unpack; } |
      tr '\000' '\n' | grep -aoE '[a-z_]*estimation[a-z_]*|probe-cannot-unpack'
  )
  have tr || knows=probe-cannot-unpack
}

# Adds to $text whether $knows names the switch; nothing where it could not be read.
tell_switch() {
  case $knows in
    *run_estimation*) text="${text}switch=yes$nl" ;;
    *probe-cannot-unpack*) ;;
    *) text="${text}switch=no$nl" ;;
  esac
}

# Sets loaded=1 where ip_vs runs, and have_module=1 where it may. Reads its file where
# it does not, or where est_cpulist does not tell which form of the estimator it has.
module() {
  loaded=0 text='' lib=/lib/modules/$release builtin=0 file=''
  for pair in initstate:/sys/module/ip_vs/initstate refcnt:/sys/module/ip_vs/refcnt taint:/sys/module/ip_vs/taint; do
    get "${pair#*:}" && text="$text${pair%%:*}=$got$nl"
  done
  # A patch's folder holds one for each object that it changes; of a built-in ip_vs, the functions in vmlinux.
  for path in /sys/kernel/livepatch/*/ip_vs /sys/kernel/livepatch/*/vmlinux/*ip_vs* /sys/kernel/kpatch/*/ip_vs \
    /sys/kernel/kpatch/patches/*/ip_vs; do
    [ -e "$path" ] || continue
    path=${path%%/vmlinux/*} path=${path%/ip_vs}
    get "$path/enabled"
    [ "$got" = 0 ] || text="${text}livepatch=${path##*/}$nl"
  done
  for path in /sys/module/ip_vs /proc/net/ip_vs "$vs"; do
    [ -e "$path" ] && loaded=1 text="${text}exists=$path$nl"
  done
  [ -e /proc/modules ] || text="${text}monolithic=1$nl"
  [ -d "$lib" ] && [ -r "$lib" ] && text="${text}tree=$lib$nl"
  if [ ! -e /sys/module/ip_vs/initstate ]; then
    found=$(grep -hsoE '^[^:]*/ip_vs\.ko(\.[gx]z|\.zst)?(:|$)' "$lib/modules.dep" "$lib/modules.builtin")
    IFS=$nl
    for line in $found; do
      case $line in
        /*:) file=${line%:} ;;
        *:) file=$lib/${line%:} ;;
        *) builtin=1 ;;
      esac
    done
    unset IFS
    [ "$builtin" = 0 ] || loaded=1
    text="${text}builtin=$builtin$nl"
  fi
  for path in "$lib"/updates/ip_vs.ko* "$lib"/updates/*/ip_vs.ko* "$lib"/extra/ip_vs.ko* "$lib"/extra/*/ip_vs.ko* \
    "$lib"/weak-updates/ip_vs.ko* "$lib"/weak-updates/*/ip_vs.ko* "$lib"/kernel/net/netfilter/ipvs/ip_vs.ko*; do
    [ -z "$file" ] && [ -f "$path" ] && file=$path
  done
  case $file in
    "$lib"/kernel/*) ;;
    ?*) grep -qsF "${file#"$lib"/}:" "$lib/modules.dep" || file='' ;; # depmod does not know it
  esac
  [ -z "$file" ] || text="${text}file=$file$nl"
  have_module=0
  [ "$loaded" = 0 ] && [ -z "$file" ] || have_module=1
  # What is not the kernel's own may have come since ip_vs was loaded; of what is loaded, the file tells
  # which form of the estimator it has where est_cpulist does not.
  case $loaded:$file in
    *:) asked='' ;;
    0:?* | *:"$lib"/updates/* | *:"$lib"/extra/* | *:"$lib"/weak-updates/*) asked=switch ;;
    *) asked=form && [ -e "$vs/est_cpulist" ] && asked='' ;;
  esac
  if [ -n "$asked" ]; then
    knows_switch "$file"
    for form in estimation_timer estimation_work ip_vs_estimation_kthread; do
      case $nl$knows$nl in *"$nl$form$nl"*) text="${text}symbol=$form$nl" ;; esac
    done
  fi
  if [ "$asked" = switch ]; then
    have "${unpack%% *}" || blind "${unpack%% *} is missing on this host: the module file cannot be read"
    tell_switch
  fi
  softdep=$(grep -nsm1 '^softdep ip[_-]vs ' "$lib/modules.softdep")
  [ -z "$softdep" ] || text="${text}softdep=$softdep$nl"
  # Estimator threads: their parent is kthreadd (process 2); a process that only took the name is not.
  set -f
  IFS=$nl
  for line in $comms; do
    case $line in
      *:ipvs-e:*)
        pid=${line#/proc/} pid=${pid%%/*}
        get "/proc/$pid/stat"
        case ${got##*) } in [A-Z]' 2 '*) text="${text}kthread=${line#*:}$nl" ;; esac
        ;;
    esac
  done
  unset IFS
  set +f
  frame module - 'ls /sys/module/ip_vs /proc/net/ip_vs; grep ip_vs.ko modules.dep modules.builtin; grep ip_vs modules.softdep; grep ipvs-e /proc/[0-9]*/comm' "$text"
}

