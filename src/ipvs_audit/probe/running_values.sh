# shellcheck shell=sh
# Whether each line that a sysctl file sets holds the running value. It is compared here, so that no
# value leaves the host.

# Takes from the environment the lines (`file PATH`, then `NUMBER KEY VALUE`), the keys that are there with their
# modes, and what grep reads in them. Writing all/KEY of IPv6 sets each interface, also where all/KEY reads the same.
# shellcheck disable=SC2016 # awk's dollars
running_awk='
# A key may come twice. What stands for the IPv6 of all interfaces is that of each, if they are alike.
function note(path, value) {
  if (path in runs && runs[path] != value) value = "\n"
  runs[path] = value
}
BEGIN {
  n = split(ENVIRON["MODES"], line, "\n")
  for (i = 1; i <= n; i++) { split(line[i], word, " "); mode[substr(word[2], 11)] = word[1] }
  n = split(ENVIRON["RUNS"], line, "\n")
  for (i = 1; i <= n; i++) {
    at = index(line[i], ":"); path = substr(line[i], 11, at - 11)
    value = substr(line[i], at + 1); gsub(/[ \t\r]+/, " ", value); gsub(/^ | $/, "", value)
    note(path, value)
    if (path ~ "/(disable_|forward|addr_gen|ignore_r)[^/]*$" && sub("^net/ipv6/conf/.*/", "net/ipv6/conf/all/", path)) note(path, value)
  }
  n = split(ENVIRON["SETS"], line, "\n")
  for (i = 1; i < n; i++) {
    if (line[i] ~ /^file /) { print line[i]; continue }
    split(line[i], word, " "); path = word[2]
    if (!("" in mode)) how = "unread"
    else if (!(path in mode)) how = "absent"
    else if (path ~ "^vm/drop_caches$|/flush$") how = "acts"
    else if (!(path in runs)) how = "unread"
    else if (mode[path] !~ /[2367]..$/) how = "readonly"
    else how = runs[path] == substr(line[i], length(word[1] path) + 3) ? "equal" : "differs"
    print how " " word[1] " " path
  }
}'

# Takes $keys and $sets of config.sh. /dev/null is there in any case: it has no name below /proc/sys.
running_values() {
  there=/dev/null modes='2.. /dev/null' n=0
  set -f
  IFS=$nl
  for line in $keys; do
    path=/proc/sys/${line#* } n=$((n + 1))
    [ "$n" -le 1000 ] || { there='' modes='' && break; } # nothing is told then
    [ -e "$path" ] || continue
    there=$there$nl$path
    got=0
    [ ! -w "$path" ] || got=2..
    modes="$modes$nl$got $path"
    case $path in
      *6/conf/all/disable_* | *6/conf/all/forwarding | *6/conf/all/addr_gen_mode | *6/conf/all/ignore_routes_*)
        set +f
        for path in "${path%/all/*}"/*/"${path##*/}"; do there=$there$nl$path; done
        set -f
        ;;
    esac
  done
  text=''
  if [ -n "$sets" ]; then
    # What root may write only the modes tell another account, and busybox, which says that root may all.
    # shellcheck disable=SC2086 # a path a line
    [ "$uid" = 0 ] && [ ! -w /proc/sys/kernel/ostype ] || modes=$(stat -c '%a %n' $there)
    # shellcheck disable=SC2086 # the same
    text=$(SETS=$sets MODES=$modes RUNS=$(grep -aHs '' $there) awk "$running_awk")$nl
  fi
  unset IFS
  set +f
  frame running-values - 'cat /proc/sys/KEY, compared with the files on the host' "${text}end$nl"
}
