"""SSH by OpenSSH's own client, one process for each host, under this suite's rules.

The client is started as a master of connection sharing (``ssh -N -M``, see ssh_config(5),
ControlMaster). Scripts run as sessions that this package opens over the master's control socket,
so a connection serves as many of them as are wanted, each with its own three streams.

For others: ``client.connect_openssh`` and ``client.OpensshConnection``.
"""
