# The operator loads the module: the recipe's hook sets the value.
# On a kernel without the key `sysctl -p` fails, so modprobe says it failed; the module is loaded all the same.
modprobe ip_vs || [ ! -e /proc/sys/net/ipv4/vs/run_estimation ]
