"""Which addresses are public, and which hosts the operator exempts from having to be."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from .errors import BadUrl
from .urls import canonical_host, split_authority

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# The unicast space that IANA has given out. Everything outside is special: loopback,
# private, link-local, site-local, multicast, NAT64, IPv4-compatible, segment routing.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")

# Inside the global space, but not to be reached. `is_global` of some supported Python
# versions lets a part of these through.
_REFUSED_V4 = [
    ipaddress.IPv4Network(text)
    for text in (
        "168.63.129.16/32",  # Azure's platform address, answers from inside every machine
        "192.0.0.0/24",  # IETF protocol assignments, with Oracle's metadata at .192
        "192.88.99.0/24",  # 6to4 relays
    )
]
_REFUSED_V6 = [
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, ORCHID
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",  # documentation
    )
]


def is_public(address: IPAddress) -> bool:
    """Whether the address is one of the public Internet, by what a packet would reach.

    An IPv4-mapped IPv6 address is judged as the IPv4 address in it. Other embeddings
    (NAT64, 6to4, Teredo, IPv4-compatible) are refused whatever they hold.
    """
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return address in _GLOBAL_UNICAST and not any(address in network for network in _REFUSED_V6)


@dataclass(frozen=True)
class Allow:
    """Hosts that need not be public: pairs of a canonical host and a port, or None for any port.

    A host is matched as the URL names it: an address in the list does not exempt a name
    that points to it. Caps and deadlines hold for exempt hosts too.
    """

    entries: frozenset[tuple[str, int | None]] = frozenset()

    def permits(self, host: str, port: int) -> bool:
        """Whether the operator named this canonical host, with this port or with none."""
        return (host, None) in self.entries or (host, port) in self.entries

    def __or__(self, other: Allow) -> Allow:
        """The hosts of both."""
        return Allow(self.entries | other.entries)


def parse_allow(text: str) -> Allow:
    """Read `host` or `host:port`, comma-separated, IPv6 addresses in brackets.

    Raises ValueError that names the entry it could not read.
    """
    entries = (entry.strip() for entry in text.split(","))
    return Allow(frozenset(_parse_entry(entry) for entry in entries if entry))


def _parse_entry(entry: str) -> tuple[str, int | None]:
    try:
        host, port = split_authority(entry)
        return canonical_host(host), port
    except BadUrl as error:
        raise ValueError(f"{entry!r} is not `host` or `host:port`: {error}") from error
