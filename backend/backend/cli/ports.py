"""TCP ports of this machine: which are free."""

from __future__ import annotations

import socket
from contextlib import ExitStack


def free_ports(host: str, count: int) -> list[int]:
    """Return that many different ports on which nobody listens."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(_socket(host)) for _ in range(count)]
        for one in sockets:
            one.bind((host, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def is_free(host: str, port: int) -> bool:
    """Say whether a service could listen there."""
    with _socket(host) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((host, port))
        except OSError:
            return False
        return True


def _socket(host: str) -> socket.socket:
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
