"""A proxy command for ProxyUseFdpass: connects, and hands the socket over to ssh.

hand_over.py HOST PORT
"""

from __future__ import annotations

import socket
import sys


def main(host: str, port: str) -> None:
    """Send the connected socket over standard output, which is a socket itself (ssh_config(5))."""
    connected = socket.create_connection((host, int(port)))
    with socket.socket(fileno=1) as to:
        socket.send_fds(to, [b"\0"], [connected.fileno()])
        to.detach()


if __name__ == "__main__":
    main(*sys.argv[1:])
