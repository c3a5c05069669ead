# shellcheck shell=sh
# Which programs apply settings and load modules here.

# Which build of procps, systemd and kmod this is, where dpkg installed them. Asked only where it matters:
# builds of other versions of procps do not differ. rpm is not asked: as root it may write (a database
# of Berkeley DB's makes __db.* files, one of SQLite's -wal and -shm).
packages() {
  case $text in *'procps-ng 3.3.15'* | *'procps-ng 3.3.17'*) ;; *) return ;; esac
  got=$(grep -sxE -A12 'Package: (procps|systemd|kmod)' /var/lib/dpkg/status) name=''
  set -f
  IFS=$nl
  for line in $got; do
    case $line in
      Package:*) name=${line#*: } ;;
      Version:*)
        [ -z "$name" ] || text="${text}package=$name ${line#*: }$nl"
        name=''
        ;;
    esac
  done
  unset IFS
  set +f
}

# Sets $root_line: whether process 1 sees the files that the probe reads; else the audit would judge those of
# a chroot or a container. Only what lies beneath counts: services have mount namespaces of their own.
compare_root() {
  root_line=root=same
  if [ ! -d /proc/1/root/. ]; then
    root_line=root=unread
    [ "$uid" != 0 ] || root_line=root=denied
    return
  fi
  for path in / /etc /run /usr /usr/lib /usr/sbin /sbin /lib /lib/modules /boot /etc/sysctl.conf /etc/modules \
    /etc/sysctl.d /etc/modprobe.d /etc/modules-load.d /etc/udev/rules.d /etc/systemd/system \
    /run/sysctl.d /run/modprobe.d /run/modules-load.d /run/udev/rules.d \
    /usr/lib/sysctl.d /usr/lib/modprobe.d /usr/lib/modules-load.d /usr/lib/udev/rules.d \
    /usr/local/lib/sysctl.d /usr/local/lib/modprobe.d \
    /etc/sysctl.d/* /etc/modprobe.d/* /etc/modules-load.d/* /etc/udev/rules.d/*; do
    [ "/proc/1/root$path" -ef "$path" ] && continue
    [ -e "/proc/1/root$path" ] || [ -e "$path" ] || continue
    case $path in *[!A-Za-z0-9/._+@-]*) path=${path%/*} ;; esac
    root_line="root=other $path"
    return
  done
}

loaders() {
  compare_root
  text=$root_line$nl sysctl_at='' modprobe_at='' sysctl_version='' modprobe_version=''
  get /proc/1/comm && text="${text}init=$got$nl"
  for path in /usr/lib/systemd /lib/systemd; do
    for name in systemd-sysctl systemd-modules-load systemd-udevd; do
      case $nl$text in *"$nl$name="*) ;; *) [ ! -x "$path/$name" ] || text="$text$name=$path/$name$nl" ;; esac
    done
  done
  version=''
  for path in /usr/lib/systemd/libsystemd-shared-* /usr/lib64/systemd/libsystemd-shared-* \
    /usr/lib/*/systemd/libsystemd-shared-* /lib/systemd/libsystemd-shared-*; do
    [ ! -f "$path" ] || version=${path##*/libsystemd-shared-}
  done
  if [ -n "$version" ]; then
    text="${text}systemd-version=${version%.so}$nl"
  elif have systemctl && [ -d /run/systemd/system ]; then
    version=$(systemctl --version 2>/dev/null)
    text="${text}systemd-version=${version%%"$nl"*}$nl"
  fi
  systemd_version=${version#systemd }
  for name in sysctl modprobe; do
    path=$(command -v "$name") || continue
    kind=''
    case $path in /*) ;; *) kind=busybox ;; esac # an applet of the shell itself
    text="$text$name=$path$nl"
    case $name in sysctl) sysctl_at=$path ;; *) modprobe_at=$path ;; esac
    for box in /bin/busybox /usr/bin/busybox /sbin/busybox /bin/toybox /usr/bin/toybox; do
      [ "$path" -ef "$box" ] && kind=${box##*/}
    done
    if [ -z "$kind" ]; then
      kind=$("$path" --version 2>&1)
      kind=${kind%%"$nl"*}
    fi
    text="$text$name-version=$kind$nl"
    case $path in *[!A-Za-z0-9/._+-]*) kind='' ;; esac # a path that would need quoting: asked.sh leaves it
    case $name in sysctl) sysctl_version=$kind ;; *) modprobe_version=$kind ;; esac
  done
  packages
  for name in systemd-sysctl systemd-modules-load systemd-udevd systemd-udev-trigger procps kmod rc-local; do
    for path in /etc/systemd/system /run/systemd/system; do
      # A link to /dev/null masks, and so does an empty file.
      [ -e "$path/$name.service" ] && [ ! -s "$path/$name.service" ] && text="${text}masked=$name.service$nl"
    done
  done
  get /proc/sys/kernel/modules_disabled && text="${text}modules-disabled=$got$nl"
  frame loaders - 'stat -L / /etc /proc/1/root/ /proc/1/root/etc; cat /proc/1/comm; ls /lib/systemd/systemd-sysctl; sysctl --version; modprobe --version; grep Package:.procps -A12 /var/lib/dpkg/status; ls -l /etc/systemd/system' "${text}end$nl"
}
