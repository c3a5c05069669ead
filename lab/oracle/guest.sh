#!/bin/sh
# Runs in a guest: applies each case's tree with the real loaders, and prints what came of it, a
# line for each: CASE WHAT VALUE STATUS. Usage: guest.sh FOLDER, with FOLDER/NUMBER/root and /trigger.
key=/proc/sys/net/ipv4/vs/run_estimation
mark=77

clean() {
  rm -rf /etc/sysctl.conf /etc/udev/rules.d/90-oracle.rules
  for top in /etc /run /usr/local/lib /usr/lib; do
    for sub in sysctl.d modprobe.d modules-load.d; do
      rm -rf "${top:?}/$sub"
      mkdir -p "$top/$sub"
    done
  done
}

# Unloads ip_vs by itself: a case's own remove commands are not asked.
unload() {
  tries=0
  while [ -e /sys/module/ip_vs ] && [ $tries -lt 20 ]; do
    for module in ip_vs_rr ip_vs_wrr ip_vs_sh ip_vs; do rmmod $module 2>/dev/null; done
    tries=$((tries + 1))
  done
}

value() { if [ -e $key ]; then cat $key; else echo absent; fi; }

# Runs a loader on a marked key: $1 is its name here, the rest the command.
loader() {
  name=$1
  shift
  echo $mark >$key
  "$@" >/dev/null 2>&1 </dev/null
  status=$?
  echo "$case $name $(value) $status"
}

clean
udevadm control --reload 2>/dev/null
for folder in "$1"/[0-9]*; do
  case=${folder##*/}
  cp -a "$folder/root/." /
  [ ! -e /etc/udev/rules.d/90-oracle.rules ] || udevadm control --reload
  unload
  timeout -s KILL 20 modprobe "$(cat "$folder/trigger")" >/dev/null 2>&1 </dev/null
  status=$?
  [ ! -e /etc/udev/rules.d/90-oracle.rules ] || udevadm settle -t 10
  echo "$case reload $(value) $status"
  [ -e $key ] || modprobe -i ip_vs || insmod "$(modinfo -n ip_vs)"
  loader sysctl-p sysctl -p
  loader sysctl-system sysctl --system
  loader systemd-sysctl /lib/systemd/systemd-sysctl
  if [ -x /opt/procps-3.3.17/sysctl ]; then
    loader sysctl-p-3.3.17 /opt/procps-3.3.17/sysctl -p
    loader sysctl-system-3.3.17 /opt/procps-3.3.17/sysctl --system
  fi
  (cd "$folder/root" && find . ! -type d) | (cd / && tr '\n' '\0' | xargs -0 -r rm -f)
done
clean
unload
