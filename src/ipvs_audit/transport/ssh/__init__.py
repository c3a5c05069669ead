"""SSH by paramiko, as OpenSSH's own files configure it: routes, host keys, authentication.

For others: ``connection.connect_ssh``, ``connection.SshConnection``,
``route.find_route`` and ``unsupported.unsupported_by_paramiko``.
"""
