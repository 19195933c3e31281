"""Keep a process of a recipe from the network once nothing that it does needs it: its model is on this machine.

What a checkpoint, a data set or a library might send goes nowhere. It holds for this process and what is forked from it
until they end, and cannot be undone from Python; code in C that opens sockets by itself is not seen. Loopback and the
sockets of the machine stay open: processes of one job talk by them.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import Any

from finetune.models import ModelLocation

_EVENTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_is_shut: list[bool] = []


def shut_in_for(location: ModelLocation) -> None:
    """Refuse connections to other machines, unless the weights have yet to be fetched from the hub."""
    if location.kind in ("embedded", "folder", "cache") and not _is_shut:
        _is_shut.append(True)
        sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS and isinstance(arguments[1], tuple) and not _is_loopback(arguments[1][0]):
        raise PermissionError(f"a recipe whose model is here has no network: {arguments[1][0]}")


def _is_loopback(host: Any) -> bool:
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
