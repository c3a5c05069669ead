#!/bin/sh
# Runs in a guest: reloads ip_vs with each case's tree in place, udev's rules as well, and prints
# what came of it, a line for each: CASE WHAT VALUE STATUS. Usage: guest.sh FOLDER, with FOLDER/NUMBER.tar and .trigger.
# Every program started costs a tenth of a second under emulation, so few are.
key=/proc/sys/net/ipv4/vs/run_estimation
rule=/etc/udev/rules.d/90-oracle.rules
ruled=yes

clean() {
  dirs=''
  for top in /etc /run /usr/local/lib /usr/lib; do
    dirs="$dirs $top/sysctl.d $top/modprobe.d $top/modules-load.d"
  done
  # shellcheck disable=SC2086 # a list of folders
  busybox rm -rf /etc/sysctl.conf $rule $dirs
}

# Unloads ip_vs by itself: a case's own remove commands are not asked.
unload() {
  for module in ip_vs_rr ip_vs; do
    [ ! -e /sys/module/$module ] || rmmod $module 2>/dev/null
  done
}

say() {
  status=$?
  value=absent
  [ ! -e $key ] || value=$(busybox cat $key) # not read: it asks for one byte at a time
  echo "$case $1 $value $status"
}

for archive in "$1"/*.tar; do
  case=${archive##*/}
  case=${case%.tar}
  clean
  busybox tar -xf "$archive" -C /
  read -r trigger <"${archive%.tar}.trigger"
  unload
  # udevd keeps the rules of the case before until it is told.
  [ "$ruled" = no ] && [ ! -e $rule ] || udevadm control --reload
  ruled=no
  [ ! -e $rule ] || ruled=yes
  modprobe "$trigger" >/dev/null 2>&1 </dev/null
  status=$?
  [ ! -e $rule ] || udevadm settle -t 10
  (exit $status)
  say reload
done
clean
unload
