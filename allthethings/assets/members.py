"""The addresses of the members of an archive: its URL with `#member=` and the path of the member in
it, percent-encoded. A browser opens the archive at such an address."""

from __future__ import annotations

from urllib.parse import quote, unquote, urlsplit

from allthethings.assets.urls import url_key

MARK = "#member="
# What stands in a path as it is (RFC 3986, section 3.5).
PLAIN = "/!$'()*,;:@~"


def member_url(archive_url: str, path: str) -> str:
    """The address of a member. The URL of an asset has no fragment of its own."""
    return f"{archive_url}{MARK}{quote(path, safe=PLAIN)}"


def is_member(url: str) -> bool:
    """Whether this is the address of a member."""
    return MARK in url


def member_key(url: str) -> str:
    """The one spelling of a member's address, as `url_key` is of a URL."""
    archive, mark, path = url.partition(MARK)
    return f"{url_key(archive)}{mark}{path}"


def archive_name(url: str) -> str:
    """The name of the archive that a member is in; empty for what is no member."""
    archive, mark, _ = url.partition(MARK)
    return (file_name(archive) or urlsplit(archive).netloc) if mark else ""


def path_in_archive(url: str) -> str:
    """The path of a member in its archive; empty for what is no member."""
    return unquote(url.partition(MARK)[2])


def encoded_path(url: str) -> str:
    """The percent-encoded path of the file that an address leads to: that of the member in its
    archive, or else of the URL."""
    return url.partition(MARK)[2] or urlsplit(url).path


def file_name(url: str) -> str:
    """The name of the file that an address leads to, without its folders; empty where it names
    none."""
    return unquote(encoded_path(url)).rpartition("/")[2]
