"""Names of hosts: which ones mean this machine, which one a Host header or a URL holds."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the name or address; names are not looked up."""
    name = host.strip("[]").rstrip(".").lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def host_of(authority: str) -> str:
    """The host of `host` or `host:port`, in lower case, without brackets or a dot at its end.

    Empty when it is neither.
    """
    found = _AUTHORITY.fullmatch(authority)
    return found[1].strip("[]").rstrip(".").lower() if found else ""


def names_served(host: str, app_url: str) -> frozenset[str] | None:
    """The names, besides loopback ones, by which an app bound to `host` may be asked.

    None means any: it is bound to more than loopback, and no public `app_url` says its name.
    """
    public = (urlsplit(app_url).hostname or "").rstrip(".")
    if not is_loopback(host) and (not public or is_loopback(public)):
        return None
    return frozenset(filter(None, [public, host_of(host) or host.lower()]))
