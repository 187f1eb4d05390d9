"""From the text that a person typed to one canonical target."""

from __future__ import annotations

import ipaddress
import re
import socket
import urllib.parse
from dataclasses import dataclass

import httpx
import idna

from .errors import BadUrl

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_URL_LENGTH = 8192

_URL = re.compile(r"([a-z][a-z0-9+.-]*):(?://([^/?#]*)([/?#].*)?)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{0,10}))?")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True)
class Target:
    """What to ask for and where: `host` is a lower-case ASCII name or a plain IP address."""

    url: httpx.URL
    host: str
    port: int


def parse_url(text: str) -> Target:
    """Read an absolute http or https URL. The fragment is dropped.

    Raises BadUrl. Hosts become canonical as browsers do it (UTS 46, numeric IPv4 in all
    its spellings), so that everything later speaks of the host that is really meant.
    """
    text = text.strip()
    if len(text) > MAX_URL_LENGTH:
        raise BadUrl(f"The URL is longer than {MAX_URL_LENGTH} characters")
    scheme, authority, rest = _split_url(text)
    host, port = split_authority(authority)
    host = canonical_host(host)
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != DEFAULT_PORTS[scheme]:
        netloc += f":{port}"
    try:
        url = httpx.URL(f"{scheme}://{netloc}{rest}").copy_with(fragment=None)
    except (httpx.InvalidURL, ValueError) as error:
        raise BadUrl("The URL has a part that is not valid") from error
    return Target(url, host, DEFAULT_PORTS[scheme] if port is None else port)


def join_url(base: Target, location: str) -> Target:
    """The target of a redirect's Location, which may be relative. Raises BadUrl."""
    try:
        return parse_url(urllib.parse.urljoin(str(base.url), location.strip()))
    except ValueError as error:
        raise BadUrl("The URL has a part that is not valid") from error


def split_authority(authority: str) -> tuple[str, int | None]:
    """`host:port` to its two parts; IPv6 keeps its brackets. Raises BadUrl."""
    if "@" in authority:
        raise BadUrl("A URL with a user name or password in it is not fetched")
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise BadUrl("The host in the URL is not valid")
    host, port = found.groups()
    if not port:
        return host, None
    if not 1 <= int(port) <= 65535:
        raise BadUrl("The port in the URL is not between 1 and 65535")
    return host, int(port)


def canonical_host(host: str) -> str:
    """One spelling for each host: an IP address in its usual form, or a lower-case name.

    Raises BadUrl.
    """
    if host.startswith("["):
        return _canonical_ipv6(host[1:-1])
    host = _to_ascii(host).lower().removesuffix(".")
    if not host:
        raise BadUrl("The URL names no host")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return _canonical_ipv4(host)
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadUrl("The host in the URL is not valid")
    return host


def _split_url(text: str) -> tuple[str, str, str]:
    found = _URL.fullmatch(text)
    if found is None:
        if ":" in text and text.split(":")[0].lower() in DEFAULT_PORTS:
            raise BadUrl("After http: or https: there must be // and a host")
        raise BadUrl("This is not a URL: it must begin with http:// or https://")
    scheme, authority, rest = found.groups(default="")
    if scheme.lower() not in DEFAULT_PORTS:
        raise BadUrl("Only http and https URLs are fetched")
    if not authority:
        raise BadUrl("The URL names no host")
    return scheme.lower(), authority, rest


def _to_ascii(host: str) -> str:
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError as error:
        raise BadUrl("The host in the URL is not valid") from error


def _canonical_ipv4(host: str) -> str:
    """Hexadecimal, octal and short forms as the C library reads them: 0x7f.1 is 127.0.0.1."""
    try:
        return str(ipaddress.IPv4Address(socket.inet_aton(host)))
    except OSError as error:
        raise BadUrl("The IPv4 address in the URL is not valid") from error


def _canonical_ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError as error:
        raise BadUrl("The IPv6 address in the URL is not valid") from error
    if address.scope_id is not None:
        raise BadUrl("An IPv6 address with a zone is not fetched")
    return str(address)
