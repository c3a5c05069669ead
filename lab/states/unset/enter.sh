# Nothing is persisted: the value is what the kernel starts with.
modprobe ip_vs
