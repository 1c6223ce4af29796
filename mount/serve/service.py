"""Telling a service manager how the mount is doing: systemd's notify protocol in a dozen lines."""

import os
import socket


def notify_service(state: str) -> bool:
    """Send a state such as `READY=1` to $NOTIFY_SOCKET; False if nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]  # an abstract socket
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
            channel.connect(address)
            channel.sendall(state.encode())
    except OSError:
        return False  # the manager went away: it is its loss, not the mount's
    return True
