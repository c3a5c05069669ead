"""A proxy command: its first argument names it, the others say where to connect.

relay.py MARK HOST PORT
"""

from __future__ import annotations

import os
import select
import socket
import sys


def main(_mark: str, host: str, port: str) -> None:
    """Pass bytes on, both ways, until one side ends."""
    with socket.create_connection((host, int(port))) as sock:
        while True:
            ready, _, _ = select.select([0, sock], [], [])
            for one in ready:
                data = sock.recv(65536) if one is sock else os.read(0, 65536)
                if not data:
                    return
                if one is sock:
                    os.write(1, data)
                else:
                    sock.sendall(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
