# The hook reads /etc/sysctl.conf only, so the operator applied the drop-in by hand: right until the next reload.
modprobe ip_vs
sysctl -q --system
