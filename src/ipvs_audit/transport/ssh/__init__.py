"""SSH by paramiko, as OpenSSH's own files configure it: routes, host keys, authentication.

For others: ``connection.connect_ssh``, ``connection.SshConnection`` and ``route.find_route``.
"""
