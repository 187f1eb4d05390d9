"""Host names: their one spelling, which ones mean this machine, and what a Host header names."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from urllib.parse import urlsplit

import guardedfetch
from allthethings.errors import BadInput

_AUTHORITY = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?")


def canonical_host(host: str) -> str:
    """The one spelling of a host, given without brackets: lower-case ASCII by UTS 46, without a
    dot at the end; an IP address as it is usually written. Raises BadInput."""
    try:
        return guardedfetch.canonical_host(f"[{host}]" if ":" in host else host)
    except guardedfetch.BadUrl as error:
        raise BadInput(f"{error}.") from error


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
    public = urlsplit(app_url).hostname or ""
    with contextlib.suppress(BadInput):  # of such a name no browser asks
        public = canonical_host(public)
    if not is_loopback(host) and (not public or is_loopback(public)):
        return None
    return frozenset(filter(None, [public, host_of(host) or host.lower()]))
