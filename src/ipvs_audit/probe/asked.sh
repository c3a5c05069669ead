# shellcheck shell=sh
# What the host's own programs say that they would do. Each is only asked: modprobe --show-depends and
# sysctl --dry-run print what they would do, systemd-sysctl --cat-config what it reads.

# Keeps of the answers what concerns the key and ip_vs: other keys' values stay on the host.
# shellcheck disable=SC2016 # awk's dollars
asked_awk='
function keep(word, text) { if (++kept <= 2000) print word " " substr(text, 1, 4096) (length(text) > 4096 ? "[cut]" : "") }
BEGIN { nonce = ENVIRON["NONCE"] " "; blank = 1 }
index($0, nonce) == 1 {
  rest = substr($0, length(nonce) + 1)
  if (rest ~ /^status /) {
    if (what == "show-depends ip_vs") { own = last; if (direct == "" && last != "") keep("line", last) }
    else if (what ~ /^show-depends/ && same) keep("line", own)
    if (direct != "") keep("line", direct)
    print (kept > 2000 ? "status cut" : rest)
    what = ""
  } else {
    what = rest; print "asked " what
    last = direct = ""; same = n = kept = 0; blank = 1
  }
  next
}
what ~ /^show-depends/ {
  if ($0 ~ "^insmod /[^ ]*/ip_vs[.]ko([.][a-z0-9]+)?( |$)") direct = $1 " " $2
  else if ($0 == "builtin ip_vs") direct = $0
  else if ($1 == "install") { last = $0; if ($0 == own) same = 1 }
  next
}
what == "cat-config" {
  if (blank && $0 ~ "^# /.*[.]conf$") { keep("file", substr($0, 3)); n = blank = 0; next }
  n++; blank = $0 == ""
  if ($0 ~ /^[ \t]*[#;][^\r]*\r?$/) next
  name = $0; sub(/=.*/, "", name)
  if ($0 ~ /run_estimation/ || name ~ /[*?\[]/ || $0 ~ /\r.*[*?\[]/) keep("line " n, $0)
  next
}
what ~ /^dry-run/ && /^[^=]*run_estimation[^=]* = / { keep("writes", $0) }
what == "help" && /--dry-run/ { print "dry-run" }'

# question NAME COMMAND: puts a question on the list.
question() {
  questions="${questions}echo '$nonce $1'$nl$2${nl}rc=\$?; echo; echo $nonce status \$rc$nl"
}

# waits_for_file KIND QUESTION: whether a program would read a file that may never end.
waits_for_file() {
  case $odd in *"$1"*) ;; *) return 1 ;; esac
  text="${text}none $2 a file that it reads is no regular file$nl"
}

asked() {
  text='' questions='unset MODPROBE_OPTIONS SYSTEMD_COLORS SYSTEMD_URLIFY'$nl
  if [ "$have_module" = 0 ]; then
    text="none everything ip_vs is not there$nl"
  elif ! have timeout; then
    text="none everything there is no timeout program$nl"
  else
    ask_modprobe
    ask_sysctl
    ask_systemd
    told=$(timeout 5 sh -c "$questions" 2>/dev/null | NONCE=$nonce awk "$asked_awk")
    [ -z "$told" ] || text=$text$told$nl
  fi
  frame asked - 'modprobe --show-depends ip_vs; sysctl --dry-run --system; sysctl --dry-run -p; systemd-sysctl --cat-config' "${text}end$nl"
}

# Only kmod's; and only where it has the modules of this kernel: without them it knows no dependencies.
ask_modprobe() {
  if waits_for_file 2 show-depends; then return; fi
  case $modprobe_version in
    'kmod version '*) ;;
    *)
      text="${text}none show-depends it is not kmod's modprobe$nl"
      return
      ;;
  esac
  if [ ! -r "$lib/modules.dep.bin" ]; then
    text="${text}none show-depends $lib/modules.dep.bin cannot be read$nl"
    return
  fi
  question 'show-depends ip_vs' "'$modprobe_at' --show-depends ip_vs"
  names=''
  for path in /sys/module/ip_vs/holders/ip_vs_*; do
    [ ! -e "$path" ] || names="$names ${path##*/}"
  done
  [ -z "$names" ] || question "show-depends$names" "'$modprobe_at' --all --show-depends$names"
}

# A dry run shows keys that the kernel has, so it is asked where ip_vs is loaded. --help tells whether
# there is one where builds of a version differ (3.3.17).
ask_sysctl() {
  if waits_for_file 1 dry-run; then return; fi
  case $sysctl_version in
    *'procps-ng 3.3.17')
      question help "helps=\$('$sysctl_at' --help); echo \"\$helps\""
      ;;
    'sysctl from procps-ng '[4-9]*) questions="${questions}helps=--dry-run$nl" ;;
    *)
      text="${text}none dry-run this sysctl has none$nl"
      return
      ;;
  esac
  if [ ! -e "$vs/run_estimation" ]; then
    text="${text}none dry-run the key is not there now$nl"
    return
  fi
  questions="${questions}dry() { case \$helps in *--dry-run*) '$sysctl_at' --dry-run \"\$@\" ;; *) return 64 ;; esac; }$nl"
  question 'dry-run --system' 'dry --system'
  [ ! -e /etc/sysctl.conf ] || question 'dry-run -p' 'dry -p'
}

ask_systemd() {
  if waits_for_file 1 cat-config; then return; fi
  case $systemd_version in
    23[5-9]* | 2[4-9][0-9]* | [3-9][0-9][0-9]*) ;;
    *)
      text="${text}none cat-config there is no systemd from 235 on$nl"
      return
      ;;
  esac
  for path in /usr/lib/systemd /lib/systemd; do
    [ -x "$path/systemd-sysctl" ] || continue
    question cat-config "$path/systemd-sysctl --cat-config"
    return
  done
  text="${text}none cat-config there is no systemd-sysctl$nl"
}
