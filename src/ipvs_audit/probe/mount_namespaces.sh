# shellcheck shell=sh
# Network namespaces that are mounted somewhere, in any mount namespace. The remedy finds them so too.

# Every file whose inode tells of a namespace.
namespace_files='/proc/self/ns/net /proc/self/ns/mnt /proc/self/ns/pid /proc/self/ns/user /proc/1/ns/pid
  /proc/[0-9]*/task/[0-9]*/ns/net /proc/[0-9]*/task/[0-9]*/ns/mnt'

# A mount namespace is looked at through one of its tasks: /proc/PID/mountinfo, and what it lists lies
# below /proc/PID/root. That shows no more than the task itself may see, so one whose root is the
# namespace's (readlink says /) is preferred to one in a chroot.
#
# mount_task() notes a task; then find_mounts() fills, by inode of the network namespace: ways (paths,
# as mountinfo escapes them, parted by tabs; of this mount namespace first), mount (the first one's
# mount point) and owner (the task through which it was seen, or nothing for this mount namespace). Also
# narrow[] (tasks whose chroot hides the rest of their mount namespace), kept[] (mounts that
# keep a mount namespace without a task), unlisted (how many were not looked at), and proc_options.
# shellcheck disable=SC2016,SC2034 # awk's dollars; it is used where this is a part
mounts_awk='
function order_of(p) { return p[3] + (p[3] == p[5] ? 0 : 4194304) } # a thread may be elsewhere for a moment only
function mount_task(inode, task, rank) {
  if (++members[inode] == 1) { space[++spaces] = inode; lowest[inode] = rank; tasks[inode] = task }
  else if (rank < lowest[inode]) { lowest[inode] = rank; tasks[inode] = task " " tasks[inode] }
  else if (members[inode] < 4) tasks[inode] = tasks[inode] " " task
}
function ask_roots(   k, i, n, t, command, line, most) {
  most = (spaces < 1000) ? spaces : 1000
  unlisted = spaces - most
  spaces = most
  command = "QUOTING_STYLE=c; export QUOTING_STYLE; exec stat -c %N /proc/self/root"
  for (k = 1; k <= spaces; k++) {
    n = split(tasks[space[k]], t, " ")
    for (i = 1; i <= n && i <= 3; i++) command = command " " t[i] "/root"
  }
  command = command " 2>/dev/null"
  while ((command | getline line) > 0) {
    if (line !~ /^.\/proc\/[0-9a-z\/]+\/root. -> .\/.$/) continue
    sub(/^./, "", line)
    sub(/\/root. -> .*/, "", line)
    whole[line] = 1
  }
  close(command)
}
function read_mounts(dir, prefix, task,   file, line, status, f, w, inode) {
  file = dir "/mountinfo"
  while ((status = (getline line < file)) > 0) {
    if (++lines > 300000) { unlisted++; break }
    if (prefix == "" && index(line, " /proc ")) {
      split(line, f, " ")
      if (f[5] == "/proc") { proc_options = line; sub(/^.* - /, "", proc_options) }
    }
    if (index(line, " net:[")) {
      split(line, f, " ")
      if (f[4] !~ /^net:\[[0-9]+\]$/) continue
      inode = substr(f[4], 6, length(f[4]) - 6)
      if (!(inode in mount)) { mount[inode] = f[5]; owner[inode] = task }
      if (length(prefix f[5]) > 4095) continue # no path that the kernel takes
      if (!(inode in ways)) ways[inode] = prefix f[5]
      else if (split(ways[inode], w, "\t") < 8) ways[inode] = ways[inode] "\t" prefix f[5]
    } else if (index(line, " mnt:[")) {
      split(line, f, " ")
      if (f[4] !~ /^mnt:\[[0-9]+\]$/) continue
      inode = substr(f[4], 6, length(f[4]) - 6)
      if (!(inode in members)) { members[inode] = 1; kept[++keepers] = prefix f[5] }
    }
  }
  close(file)
  return status >= 0
}
function find_space(inode,   t, n, i, turn) {
  if (inode == own_space && "/proc/self" in whole && read_mounts("/proc/self", "", "")) return
  n = split(tasks[inode], t, " ")
  for (turn = 1; turn >= 0; turn--) for (i = 1; i <= n && i <= 3; i++) {
    if ((t[i] in whole) != turn || !read_mounts(t[i], t[i] "/root", inode == own_space ? "" : t[i])) continue
    if (!turn) narrow[++narrows] = t[i]
    return
  }
  if (inode == own_space) { read_mounts("/proc/self", "", ""); narrow[++narrows] = "/proc/self" }
  else if (members[inode] > 3) unlisted++
}
function find_mounts(own,   k) {
  own_space = own
  ask_roots()
  find_space(own)
  for (k = 1; k <= spaces; k++) if (space[k] != own) find_space(space[k])
}'

# Sets $path: mountinfo escapes white space and backslashes, as \040 and the like.
mount_path() {
  path=$1
  # shellcheck disable=SC2059 # the escapes are to be understood, per cents are not
  case $path in *\\*) path=$(printf "$(printf %s "$1" | sed 's/%/%%/g')." ) path=${path%.} ;; esac
}

# in_netns PATH COMMAND...: runs it in the network namespace that is mounted there, as the last thing that
# a subshell does. Opened first: a path may meanwhile lead to another namespace, and COMMAND looks where it is.
# Who made another mount namespace, and any user may, can have put a pipe or a device there, opening which
# never ends or acts, and can swap them at any time; or a file system that never answers. So nothing of it is
# opened, but bound in a mount namespace of our own: of another mount namespace the kernel binds only what is a
# namespace. /proc/version is a file that is there.
in_netns() {
  at=$1
  shift
  case $at in
    /proc/[0-9]*/root/*) [ -n "$stuck" ] || exec timeout 5 unshare -m sh -c "$bind_and_enter" - "$at" "$@" ;;
    *) [ ! -f "$at" ] || { eval "$tell_inode" && exec nsenter --net=/proc/self/fd/8 "$@"; } 8<"$at" ;;
  esac
}
stuck='' # 1 where a path did not answer in time: no other is tried then
# shellcheck disable=SC2016 # for eval, and the inner shell's
tell_inode='[ "${fdinfo-1}" = 1 ] || stat -Lc %i /proc/self/fd/8'
# shellcheck disable=SC2016 # the inner shell's variables
bind_and_enter='at=$1
shift
exec 3>&2 2>/dev/null
mount -n --make-rprivate / && { mount -nc --bind "$at" /proc/version || mount -n --bind "$at" /proc/version; } || exit
[ -f /proc/version ] || exit
exec 2>&3 3>&- 8</proc/version
'"$tell_inode"' && exec nsenter --net=/proc/self/fd/8 "$@"'
