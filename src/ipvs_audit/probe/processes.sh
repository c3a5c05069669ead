# shellcheck shell=sh
# Which processes matter: who reads IPVS statistics, the estimator's threads, and what may load modules.
#
# Of a command line, which may hold secrets, nothing is brought but which reader of the list it names, and
# those of its words that stand in the list. snapshot/statistics_readers.toml is the list.

# In awk's environment and not in its text: else awk would find its own command line.
reader_names='@READERS@'
reader_words='@READER_WORDS@'
reader_file='/net/ip_vs_stats(_percpu)?([^a-z_]|$)'
reader_ipvsadm='ipvsadm [^;|&]*--(stats|rate)'
# A name that speaks of IPVS and of what shows statistics, in either order.
reader_topic='exporter|stats?|statistics|metrics?|collector|monitor(ing)?|rates?'
reader_ipvs='ip-?vs|lvs'
# What runs another program, or a script, that it is given.
reader_runs='^(python|pypy|perl|ruby|node|nodejs|php|lua|java|[a-z]*sh|busybox|env|sudo|nice|ionice|timeout|setsid|nohup|stdbuf|taskset|tini|dumb-init|docker-init|watch|nsenter|unshare|chroot|ip|su|runuser|setpriv|uv)(-?[0-9].*)?$'

# Reads ls: first the links /proc/PID/exe, then the folders /proc/PID/fd.
# shellcheck disable=SC2016 # awk's dollars
processes_awk='
function known(name) { # the name in the list, or nothing
  name = tolower(name)
  sub(/^.*\//, "", name)
  sub(/[.](pyc?|pl|rb|sh|js|php|lua|jar)$/, "", name)
  gsub(/[_.]/, "-", name)
  plain = name
  if (name in names) return name
  sub(/-v?[0-9].*$/, "", name)
  return (name in names) ? name : (name ~ TOPIC) ? "named-for-ipvs" : ""
}
function tell(how, name,   i, text) {
  for (i = 1; i <= words; i++) if (word[i] in flags) text = text "\t" word[i]
  named[name] = 1
  if (++told[name text] <= 5 && ++lines <= 200) print "reader " pid " " how " " name text
}
function read_words(   text, part, n, i) {
  while (length(whole) < 16384 && (getline text < file("cmdline")) > 0) { # busybox ends a line at a NUL
    n = split(substr(text, 1, 16384), part, /[^ -~]/)
    for (i = 1; i <= n; i++) if (part[i] != "") { word[++words] = part[i]; whole = whole " " part[i] }
  }
}
function read_units(   unit, n, i, text, name, list) {
  n = split(ENVIRON["UNITS"], unit, " ")
  for (i = 1; i <= n; i++) {
    text = unit[i]
    sub(/^.*\//, "", text)
    gsub(/\\x2d/, "-", text)
    sub(/[.](service|scope)$|@.*$/, "", text)
    sub(/^(docker|libpod|machine|snap|lxc[.]payload)[-.]/, "", text)
    name = known(text)
    list = unit[i] "/cgroup.procs"
    if (name != "" && !(name in named) && (getline pid < list) > 0) tell("unit", name)
    close(list)
  }
}
function file(name) { return "/proc/" pid "/" name }
function look(exe,   comm, name, how, i, tried, runs) {
  getline comm < file("comm")
  if (comm ~ /^(ipvs-e:.*|kube-proxy|kube-router|keepalived)$/) print "comm " pid " " comm
  words = 0; whole = ""
  how = "exe"; name = known(exe); runs = plain ~ RUNS
  if (name == "" && comm !~ /^ipvs-e:/) {
    how = "comm"; name = known(comm)
    if (name == "" && length(comm) == 15) name = cut[plain]
    runs = runs || plain ~ RUNS
  }
  # A thread of the kernel has no program; nor has, for an ordinary account, what is of another user.
  if (runs || (name != "" && exe != "") || (exe == "" && !PEEK)) read_words()
  if (index(whole, NONCE)) return
  if (whole ~ FILES) return tell("argument", "statistics-file")
  if (whole ~ IPVSADM) return tell("argument", "ipvsadm-statistics")
  for (i = 1; i <= words && name == "" && tried < 5; i++) {
    if (i > 1 && word[i] ~ /^-| /) continue
    how = "argument"; name = known(word[i]); tried++
    if (i == 1 && !runs && plain !~ RUNS) break
  }
  if (name != "") tell(how, name)
}
BEGIN {
  FILES = ENVIRON["FILES"]; IPVSADM = ENVIRON["IPVSADM"]; RUNS = ENVIRON["RUNS"]; NONCE = ENVIRON["NONCE"]
  PEEK = ENVIRON["PEEK"] + 0
  about = "(" ENVIRON["TOPIC"] ")"; ipvs = "(" ENVIRON["IPVS"] ")"
  TOPIC = "(^|-)(" ipvs "(-.*)?-?" about "|" about "(-.*)?-" ipvs ")(-|$)"
  n = split(ENVIRON["NAMES"], p, " ")
  for (i = 1; i <= n; i++) { names[p[i]] = 1; if (length(p[i]) > 15) cut[substr(p[i], 1, 15)] = p[i] }
  n = split(ENVIRON["WORDS"], p, " ")
  for (i = 1; i <= n; i++) flags[p[i]] = 1
}
/^\/proc\/[0-9]+\/fd:$/ { split($0, p, "/"); pid = folder = p[3]; words = 0; next }
folder != "" {
  if ($0 ~ / -> .*\/ip_vs_stats(_percpu)?$/ && !(folder in holds)) { holds[folder] = 1; tell("file", "statistics-file") }
  next
}
match($0, / \/proc\/[0-9]+\/exe/) {
  split(substr($0, RSTART, RLENGTH), p, "/"); pid = p[3]
  exe = substr($0, RSTART + RLENGTH)
  if (!sub(/^ -> /, "", exe)) exe = ""
  sub(/ \(deleted\)$/, "", exe)
  look(exe)
  close(file("comm")); close(file("cmdline"))
}
END {
  words = 0
  read_units()
  if (lines > 200) print "gap more readers than the probe brings"
}'

# In a subshell of its own: exec saves a fork.
list_processes() {
  if [ $# -gt 20000 ]; then printf '%s\n' "$@" | xargs ls -ln; else exec ls -ln "$@"; fi
}

# Sets $comms (/proc/PID/comm:NAME, a line each) and $readers.
processes() {
  readers='' comms=''
  set -- /proc/[0-9]*/exe
  get /proc/sys/fs/file-nr
  open=${got%%[!0-9]*}
  if [ "$peek" != 1 ]; then
    readers="gap the probe ran as $user and sees no programs and open files of other users$nl"
  fi
  # While ip_vs is not loaded there is no such file to hold open.
  if [ ! -e /proc/net/ip_vs_stats ]; then
    :
  elif [ $# -gt 4096 ] || [ "${open:-65536}" -gt 32768 ]; then
    readers="${readers}gap the open files of $# processes were not looked at: too many$nl"
  else
    set -- "$@" /proc/[0-9]*/fd
  fi
  at=/sys/fs/cgroup units=''
  for path in "$at"/*.slice/*.service "$at"/*.slice/*.scope "$at"/*.slice/*.slice/*.service "$at"/*.slice/*.slice/*.scope \
    "$at"/lxc.payload.* "$at"/systemd/*.slice/*.service "$at"/systemd/*.slice/*.scope "$at"/systemd/lxc/*; do
    units="$units $path"
  done
  found=$(QUOTING_STYLE=escape list_processes "$@" 2>/dev/null |
    UNITS=$units NAMES=$reader_names WORDS=$reader_words FILES=$reader_file IPVSADM=$reader_ipvsadm \
      TOPIC=$reader_topic IPVS=$reader_ipvs RUNS=$reader_runs NONCE=$nonce PEEK=$peek awk "$processes_awk")
  set -f
  IFS=$nl
  for line in $found; do
    case $line in
      'comm '*) line=${line#comm } comms="$comms/proc/${line%% *}/comm:${line#* }$nl" ;;
      *) readers=$readers$line$nl ;;
    esac
  done
  unset IFS
  set +f
}

tell_readers() {
  frame readers - 'ls -l /proc/[0-9]*/exe /proc/[0-9]*/fd; cat /proc/[0-9]*/comm /proc/[0-9]*/cmdline; ls /sys/fs/cgroup' "${readers}end$nl"
}
