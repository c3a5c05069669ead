# shellcheck shell=sh
# The files that sysctl, modprobe, udev and systemd-modules-load read.

# Paths as they stand in a line: newlines and backslashes escaped. (In gsub every awk has its own idea
# of backslashes.)
# shellcheck disable=SC2016 # awk's dollars
shown_awk='
function shown(path,   i, c, out) {
  if (path !~ /[\\\n]/) return path
  for (i = 1; i <= length(path); i++) { c = substr(path, i, 1); out = out (c == "\\" ? "\\\\" : c == "\n" ? "\\n" : c) }
  return out
}'

# Prints the four sections, the keys, the files that a hook names, the words of hooks and rules for
# programs.sh, and what running_values compares, with $RS between them. Takes the readable files as arguments, what stat and sha256sum said of them (a line each, in the same
# order) and their real paths (a line each, empty = the same) from the environment.
# shellcheck disable=SC2016 # awk's dollars
files_awk='
function kind(path) {
  if (ENVIRON["KIND"] != "") return ENVIRON["KIND"]
  # Not /.../: busybox takes a backslash in a bracket for one of the characters.
  if (path ~ "/sysctl[.](d/[^/]*|conf)$") return 1
  if (path ~ "/modprobe[.](d/[^/]*|conf)$") return 2
  return path ~ "/rules[.]d/[^/]*$" ? 3 : 4
}
function put(k, text) { out[k] = out[k] text "\n"; size[k] += length(text) + 1 }
function key_of(from, number, text,   key, path, sep, i, c, n, equals) {
  equals = n = index(text, "="); if (n == 0) return
  key = substr(text, 1, n - 1); sub(/^[ \t]*-?[ \t]*/, "", key); sub(/[ \t]+$/, "", key)
  if (key == "" || key ~ /[*?\[ \t\001-\037\177]|\.\.|^\.|^\// || length(key) > 256) return
  path = key
  match(key, "[./]"); sep = RSTART ? substr(key, RSTART, 1) : "/"
  if (sep == ".") { path = ""; n = length(key); for (i = 1; i <= n; i++) { c = substr(key, i, 1); path = path (c == "." ? "/" : c == "/" ? "." : c) } }
  if (path ~ /\/\//) return
  if (!(key in known)) { known[key] = 1; keys = keys key " " path "\n" }
  if (length(text) > 1024 || ++set > 1000 || length(sets) > 49152) return
  if (from != setter) { setter = from; sets = sets "file " shown(from) "\n" }
  text = substr(text, equals + 1); gsub(/[ \t\r]+/, " ", text); gsub(/^ | $/, "", text)
  sets = sets number " " path " " text "\n"
}
function hook_of(text,   w, n, i, path, on) {
  if (text !~ /^[ \t]*install[ \t]+ip[_-]vs[ \t]/) return
  gsub(/[;&|]+/, " ; ", text); gsub(/[()"\047]/, " ", text)
  n = split(text, w, " ")
  for (i = 3; i <= n; i++) {
    if (w[i] == ";") on = 0
    if (w[i] ~ /(^|\/)(systemd-)?sysctl$/) { on = 1; continue }
    path = w[i]; sub(/^(-[a-zA-Z]*[pf]|--load=)/, "", path)
    if (on && path ~ "^/[A-Za-z0-9_.@+/-]+$" && path !~ "^/dev/|bin/[^/]*$") named = named path "\n"
  }
}
function module(name) {
  gsub(/-/, "_", name)
  if (name ~ /[^A-Za-z0-9_]/ || name == "ip_vs" || (("m " name) in asked)) return
  asked["m " name] = 1; words = words "m " name; gsub(/_/, "[-_]", name); words = words " " name "\n"
}
# The programs, files and modules that a command may mean; kmod drops each backslash.
function words_of(text, from,   w, n, i, load) {
  gsub(/\\/, "", text); gsub(/[;&|<>(){}"`\047$]+/, " ; ", text)
  n = split(text, w, " ")
  for (i = from; i <= n; i++) {
    if (w[i] == ";") { load = 0; continue }
    if (length(w[i]) > 200 || w[i] !~ "^[A-Za-z0-9_/.][A-Za-z0-9_.@+:/-]*$" || w[i] !~ /[a-z]/) continue
    if (load) module(w[i])
    if (w[i] ~ "(^|/)modprobe$") load = 1
    if (w[i] in asked || w[i] !~ "^/" && w[i] ~ "/") continue
    asked[w[i]] = 1; words = words "w " w[i] "\n"
  }
}
function take(k, path, number, text, how,   bare, n, i) {
  # A comment with a carriage return is kept: systemd ends the line there.
  if (k == 1) { if (text ~ /^[ \t\r]*$/ || text ~ /^[ \t]*[#;][^\r]*\r?$/) return }
  else if (text ~ /^[ \t]*#/) return
  else if (k == 2) {
    bare = text; gsub(/\\/, "", bare); n = split(bare, word, " ")
    if (bare !~ /[iI][pP][_-][vV][sS]|sysctl/ && word[1] != "install" && word[2] !~ /[*?\[]/) return
  }
  else if (k == 3) { if (text !~ /ip[_-]?vs|sysctl|SYSCTL|run_estimation|GOTO|LABEL/) return }
  else if (text !~ /ip[_-]?vs/) return
  gsub(/\036/, "?", text)
  if (k == 1) key_of(path, number, text)
  if (k == 2) hook_of(bare)
  if (k == 2 && word[1] == "install" && bare ~ /ip[_-]vs|sysctl|[*?\[]/ || k == 3 && text ~ /RUN.*(ip[_-]vs|sysctl)|(ip[_-]vs|sysctl).*RUN/) words_of(text, k == 2 ? 3 : 1)
  if (k == 2 && word[1] == "softdep" && word[2] ~ /^ip[_-]vs$/) for (i = 3; i <= n; i++) module(word[i])
  if (length(text) > 4096) text = substr(text, 1, 4096) "[cut]"
  put(k, "line" how " " number " " text)
}
function odd(text,   n) { n = 0; while (substr(text, length(text) - n, 1) == "\\") n++; return n % 2 }
# udev drops comments and leading blanks within a continued line, and continues at any backslash. Before 243
# it dropped neither (-old); a blank line, or the end of the file, differ between versions (-open).
function lines(k, path,   text, n, first, joined, had, how, bare, after) {
  n = 0; joined = ""; had = 0; how = ""; after = ""
  while ((getline text < path) > 0) {
    n++
    if (k == 3) {
      bare = text; sub(/^[ \t\r]+/, "", bare)
      if (bare ~ /^#/) { if (had && how == "") how = "-old"; continue }
      if (!had && bare == "") continue
      if (bare == "") { how = "-open"; after = how }
      else if (had && bare != text && joined !~ /[ \t,]$/ && how == "") how = "-old"
      if (had) text = bare
    }
    if (!had) first = n
    if (k == 3 ? text ~ /\\$/ : k == 2 && odd(text)) { joined = joined substr(text, 1, length(text) - 1); had = 1; continue }
    take(k, path, first, joined text, how); joined = ""; had = 0; how = after; after = ""
    if (size[k] > 393216) { put(k, "unread more lines than the probe brings"); break }
  }
  if (had) take(k, path, first, joined, "-open")
  close(path)
}
BEGIN {
  split(ENVIRON["STATS"], stat, "\n"); split(ENVIRON["SUMS"], sum, "\n"); split(ENVIRON["REALS"], real, "\n")
  s = 0
  if (stat[ARGC - 1] == "" || stat[ARGC] != "") split("", stat) # not a line for each file: trust none
  for (a = 1; a < ARGC; a++) {
    path = ARGV[a]; k = kind(path); split(stat[a], st, " ")
    put(k, "file " shown(path))
    if (real[a] != "") put(k, "real " shown(real[a]))
    if (st[1] != "") put(k, "stat 0" st[1] " " st[2] " " st[3] " " st[4])
    flag = substr(ENVIRON["FLAGS"], a, 1)
    if (flag == "d") { put(k, "unread permission denied"); continue }
    if (st[4] > 1048576) { put(k, "unread larger than 1 MiB"); continue }
    s++
    if (match(sum[s], /[0-9a-f]+/) && RLENGTH == 64) put(k, "sha256 " substr(sum[s], RSTART, 64))
    lines(k, path)
  }
  rs = ENVIRON["RS"]
  printf "%s%s%s%s%s%s%s%s%s%s%s%s%s", "-", out[1], rs "-", out[2], rs "-", out[3], rs "-", out[4], rs "-" keys, rs "-" named, rs "-" words, rs "-" sets, rs
  exit
}'

# about FILE...: what stat, sha256sum and awk say of regular files; sets $told for splitting at $rs.
about() {
  reals='' flags=''
  for file; do
    real=''
    if [ -L "$file" ]; then real=$(readlink -f "$file"); fi
    case $real in *"$nl"*) real='?' ;; esac
    reals="$reals$real$nl"
    if [ -r "$file" ]; then flags="${flags}r"; else flags="${flags}d"; fi
  done
  stats=$(stat -Lc '%a %u %g %s' "$@" 2>/dev/null)
  # A line for each argument, or else one by one: one may be large, unreadable, of a name that
  # holds a newline.
  slow=0
  case "$stats$nl" in *[0-9][0-9][0-9][0-9][0-9][0-9][0-9][\ $nl]*) slow=1 ;; esac
  case $flags in *d*) slow=1 ;; esac
  case $* in *"$nl"*) slow=1 ;; esac
  sums=''
  if [ "$slow" = 0 ]; then
    sums=$(sha256sum "$@" 2>/dev/null)
  else
    stats=''
    for file; do
      one=$(stat -Lc '%a %u %g %s' "$file" 2>/dev/null)
      stats="$stats$one$nl"
      [ -r "$file" ] && [ "${one##* }" -le 1048576 ] 2>/dev/null && sums="$sums$(sha256sum <"$file" 2>/dev/null)$nl"
    done
  fi
  told=$(STATS=$stats SUMS=$sums REALS=$reals FLAGS=$flags RS=$rs KIND=$only awk "$shown_awk$files_awk" "$@")
}

# A line for section $k that needs no reading.
mark() {
  case $k in
    1) marks1=$marks1$1$nl ;;
    2) marks2=$marks2$1$nl ;;
    3) marks3=$marks3$1$nl ;;
    4) marks4=$marks4$1$nl ;;
  esac
}

# Whether a file ends when it is read: no pipe or device, and none of /proc and the like, which have no
# size and may wait for more to come. Empty files alone cost a fork.
regular() {
  [ -f "$1" ] || return 1
  [ ! -s "$1" ] || return 0
  case $(stat -fc %t "$1" 2>/dev/null) in
    9fa0 | 62656572 | 62656570 | 64626720 | 74726163 | 73636673 | 63677270 | 27e0eb | 1cd1 | 65735543 | '') return 1 ;;
  esac
}

# Whether a file is worth reading: sets $worth; marks what only stands in the way. $odd tells of which
# kinds there is one that a program would wait for: those programs are not asked.
look_at() {
  worth=0 plain=$1
  case $plain in *"$nl"* | *\\*) plain=$(awk "$shown_awk BEGIN { print shown(ARGV[1]) }" "$1") ;; esac
  case $k in
    3 | 4) case $matched$nl in *"/${1##*/}$nl"*) ;; *) return ;; esac ;;
  esac
  if [ ! -e "$1" ]; then
    [ ! -L "$1" ] || mark "file $plain${nl}dangling"
  elif [ "$1" -ef /dev/null ]; then
    mark "file $plain${nl}real /dev/null"
  elif ! regular "$1"; then
    mark "unreadable $plain: not a regular file"
    [ -d "$1" ] || odd=$odd$k
  else
    worth=1
  fi
}

# A file that no program reads, for the note that its name may be mistyped: see ignored().
stray() {
  case $1 in *"$nl"* | */README*) return ;; esac
  if [ -f "$1" ] && [ -s "$1" ] && [ -r "$1" ]; then strays=$strays$1$nl; fi
}

# Marks those strays that concern ip_vs. Directories whose name is nearly that of sysctl.d or
# modprobe.d are looked into as well: at most 5, and 20 files in each.
ignored() {
  dirs=0
  for dir in /etc/*sysctl* /etc/sy*c*t*.d /etc/sy*c*l*.d /etc/*modprobe* /etc/mo*pro*; do
    case $dir in /etc/sysctl.d | /etc/modprobe.d) continue ;; esac
    if [ ! -d "$dir" ] || [ "$dirs" = 5 ]; then continue; fi
    dirs=$((dirs + 1)) n=0
    for file in "$dir"/*; do
      [ "$n" = 20 ] || { n=$((n + 1)); stray "$file"; }
    done
  done
  [ -n "$strays" ] || return
  set -f
  IFS=$nl
  # shellcheck disable=SC2086 # a path a line
  set -- $strays
  found=$nl
  got=$(find -L "$@" -prune -size -2048 -exec grep -lE 'ip[_-]vs|run_estimation' {} + 2>/dev/null)
  for file in $got; do
    case $found in *"$nl$file$nl"*) continue ;; esac
    found=$found$file$nl
    case $file in /etc/m*) k=2 ;; *) k=1 ;; esac
    plain=$file
    case $file in *\\*) plain=$(awk "$shown_awk BEGIN { print shown(ARGV[1]) }" "$file") ;; esac
    mark "ignored $plain"
  done
  unset IFS
  set +f
}

config() {
  marks1='' marks2='' marks3='' marks4='' only='' strays='' odd='' waits=''
  set --
  for file in /etc/udev/rules.d/*.rules /run/udev/rules.d/*.rules \
    /usr/local/lib/udev/rules.d/*.rules /usr/lib/udev/rules.d/*.rules /lib/udev/rules.d/*.rules \
    /etc/modules-load.d/*.conf /run/modules-load.d/*.conf /usr/local/lib/modules-load.d/*.conf \
    /usr/lib/modules-load.d/*.conf /lib/modules-load.d/*.conf /etc/modules; do
    if [ -s "$file" ] && [ -f "$file" ]; then
      set -- "$@" "$file"
    elif [ -e "$file" ] && [ ! -d "$file" ] && [ ! "$file" -ef /dev/null ] && ! regular "$file"; then
      waits=$waits$nl$file
    fi
  done
  matched=$(grep -lsE 'ip[_-]?vs|sysctl|SYSCTL|run_estimation' /dev/null "$@")$waits
  set --
  for spot in 1:sysctl.d/conf 2:modprobe.d/conf 3:udev/rules.d/rules 4:modules-load.d/conf; do
    k=${spot%%:*} sub=${spot#*:} ending=${spot##*/} sub=${sub%/*}
    for top in /etc /run /usr/local/lib /usr/lib /lib; do
      dir=$top/$sub
      [ -d "$dir" ] || continue
      if [ "$top" = /lib ] && [ "$dir" -ef "/usr/lib/$sub" ]; then
        mark "same $dir /usr/lib/$sub"
      elif [ ! -r "$dir" ] || [ ! -x "$dir" ]; then
        mark "unreadable $dir: permission denied"
      else
        hidden="$dir/.[!.]*.conf" # procps reads these
        [ "$k" = 1 ] || hidden=''
        # shellcheck disable=SC2086 # a pattern, in a directory of a fixed name
        for file in "$dir"/* $hidden; do
          case $file in
            *".$ending" | /etc/modprobe.d/*.alias | /run/modprobe.d/*.alias | /usr/local/lib/modprobe.d/*.alias | /usr/lib/modprobe.d/*.alias | /lib/modprobe.d/*.alias)
              look_at "$file"
              [ "$worth" = 0 ] || set -- "$@" "$file"
              ;;
            "$dir/*" | "$hidden") ;;
            /etc/sysctl.d/* | /etc/modprobe.d/*) stray "$file" ;;
          esac
        done
      fi
    done
  done
  ignored
  for spot in 1:/etc/sysctl.conf 2:/etc/modprobe.conf 4:/etc/modules; do
    k=${spot%%:*}
    look_at "${spot#*:}"
    [ "$worth" = 0 ] || set -- "$@" "${spot#*:}"
  done
  wanted=$#
  listed=$nl
  for file; do listed=$listed$file$nl; done
  told=''
  [ "$wanted" = 0 ] || about "$@"
  split_told
  frame sysctl - 'cat /etc/sysctl.conf {/etc,/run,/usr/local/lib,/usr/lib,/lib}/sysctl.d/*.conf' "$marks1${part1}end$nl"
  frame modprobe - 'cat /etc/modprobe.conf {/etc,/run,/usr/local/lib,/usr/lib,/lib}/modprobe.d/*.conf' "$marks2${part2}end$nl"
  frame udev - "grep -E 'ip[_-]?vs|sysctl|SYSCTL|run_estimation|GOTO|LABEL' {/etc,/run,/usr/local/lib,/usr/lib,/lib}/udev/rules.d/*.rules" "$marks3${part3}end$nl"
  frame modules-load - "grep -E 'ip[_-]?vs' /etc/modules {/etc,/run,/usr/local/lib,/usr/lib,/lib}/modules-load.d/*.conf" "$marks4${part4}end$nl"
  keys=$part5 words=$part7 sets=$part8 missing=''
  set --
  set -f
  IFS=$nl
  for file in $part6; do
    case $listed in *"$nl$file$nl"*) continue ;; esac
    listed=$listed$file$nl
    if regular "$file"; then
      set -- "$@" "$file"
    elif [ -e "$file" ] && [ ! -d "$file" ]; then
      missing="${missing}file $file${nl}unread not a regular file$nl"
    elif [ ! -e "$file" ] && [ -x "${file%/*}/" ]; then
      missing="${missing}file $file${nl}dangling$nl"
    fi
  done
  unset IFS
  set +f
  part1=''
  if [ $# -gt 0 ]; then
    wanted=$# only=1
    about "$@"
    split_told
    keys=$keys$part5 sets=$sets$part8
  fi
  [ -z "$missing$part1" ] ||
    frame sysctl-named - 'cat the files that a hook gives to sysctl -p' "$missing${part1}end$nl"
  text=''
  set -f
  IFS=$nl
  for line in $keys; do
    if [ -e "/proc/sys/${line#* }" ]; then text="${text}yes ${line%% *}$nl"; else text="${text}no ${line%% *}$nl"; fi
  done
  unset IFS
  frame keys - 'ls /proc/sys/KEY' "${text}end$nl"
  running_values
  text=''
  get /proc/cmdline
  for word in $got; do
    case $word in *modules?load* | *blacklist* | *sysctl* | *ip_vs* | *ip-vs*) text="$text$word$nl" ;; esac
  done
  set +f
  frame cmdline - 'cat /proc/cmdline' "${text}end$nl"
}

# Takes $told apart into $part1 ... $part8.
split_told() {
  set -f
  IFS=$rs
  # shellcheck disable=SC2086 # split at the separator
  set -- $told
  unset IFS
  set +f
  part1=${1#-} part2=${2#-} part3=${3#-} part4=${4#-} part5=${5#-} part6=${6#-} part7=${7#-} part8=${8#-}
  [ "$wanted" = 0 ] || [ $# -ge 8 ] || for k in 1 2 3 4; do
    mark "unreadable /: awk is missing or failed while it read the files"
  done
}
