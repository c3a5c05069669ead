# shellcheck shell=sh
# Whether each line that a sysctl file sets holds the running value. It is compared here, so that no
# value leaves the host.

# Takes the lines (`file PATH`, then `NUMBER KEY VALUE`), the keys with their modes, and their values, each
# part ended by $RS. Writing all/KEY of IPv6 sets each interface, also where all/KEY reads the same.
# shellcheck disable=SC2016 # awk's dollars
running_awk='
BEGIN { rs = ENVIRON["RS"] }
$0 == rs { part++; next }
!part { line[++n] = $0; next }
part == 1 { mode[substr($2, 11)] = $1; next }
{
  at = index($0, ":"); path = substr($0, 11, at - 11)
  value = substr($0, at + 1); gsub(/[ \t\r]+/, " ", value); gsub(/^ | $/, "", value)
  # A key may come twice.
  if (path in runs && runs[path] != value) value = runs[path] "\n" value
  runs[path] = value
  name = path; sub(/.*\//, "", name)
  if (path !~ "^net/ipv6/conf/") next
  if (name in first && first[name] != value) mixed[name] = 1
  first[name] = value
}
END {
  for (i = 1; i <= n; i++) {
    if (line[i] ~ /^file /) { print line[i]; continue }
    split(line[i], word, " "); path = word[2]
    value = substr(line[i], length(word[1] path) + 3)
    name = path; sub(/.*\//, "", name)
    if (!("" in mode)) how = "unread"
    else if (!(path in mode)) how = "absent"
    else if (path ~ "^vm/drop_caches$|/flush$") how = "acts"
    else if (!(path in runs)) how = "unread"
    else if (mode[path] !~ /[2367]..$/) how = "readonly"
    else how = runs[path] != value || path ~ "^net/ipv6/conf/all/" && name in mixed ? "differs" : "equal"
    print how " " word[1] " " path
  }
}'

# Takes $keys and $sets of config.sh. /dev/null is there in any case: it has no name below /proc/sys.
running_values() {
  there=/dev/null n=0
  set -f
  IFS=$nl
  for line in $keys; do
    path=/proc/sys/${line#* } n=$((n + 1))
    [ "$n" -le 1000 ] || { there='' && break; } # nothing is told then
    [ -e "$path" ] || continue
    there=$there$nl$path
    case $path in
      *6/conf/all/disable_* | *6/conf/all/forwarding | *6/conf/all/addr_gen_mode | *6/conf/all/ignore_routes_*)
        set +f
        for path in "${path%/all/*}"/*/"${path##*/}"; do there=$there$nl$path; done
        set -f
        ;;
    esac
  done
  text=''
  # shellcheck disable=SC2086 # a path a line
  [ -z "$sets" ] || text=$(
    {
      printf '%s\n' "$sets$rs"
      stat -c '%a %n' $there
      echo "$rs"
      grep -aHs '' $there
    } 2>/dev/null | RS=$rs awk "$running_awk"
  )$nl
  unset IFS
  set +f
  frame running-values - 'cat /proc/sys/KEY, compared with the files on the host' "${text}end$nl"
}
