"""Finds the network interface by which the other machines of a run are reached."""

from __future__ import annotations

import fcntl
import socket
import struct
from contextlib import suppress

# Linux's question for the address of an interface (netdevice(7)).
SIOCGIFADDR = 0x8915
LOOPBACK = "lo"
# An address kept for documentation (RFC 5737): asking for the way there sends nothing.
ELSEWHERE = "192.0.2.1"


def interface_to(host: str) -> str:
    """Name the interface on the way to `host`, or on the way out; empty where there is none.

    A machine often knows itself as 127.0.1.1 (Debian's /etc/hosts), where no other reaches it.
    """
    for target in (host, ELSEWHERE):
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            address = probe.getsockname()[0]
            if not address.startswith("127."):
                return _owner(address)
    return ""


def _owner(address: str) -> str:
    for _number, name in socket.if_nameindex():
        with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            said = fcntl.ioctl(asking, SIOCGIFADDR, struct.pack("256s", name.encode()))
            if socket.inet_ntoa(said[20:24]) == address:
                return name
    return ""
