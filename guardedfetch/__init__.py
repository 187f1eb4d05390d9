"""One guarded fetch for every URL that a stranger chose.

    fetcher = Fetcher(parse_allow(os.environ.get("FETCH_ALLOW", "")))
    page = fetcher.get("https://example.com/")

http and https only, to public addresses only: each name is resolved once, all its addresses
are judged, and the connection goes to an address that was judged, at every redirect anew. The
environment's proxies are not used. Time, redirects, headers, bytes and decompressed bytes have
their limits, whatever the server does.
"""

from .addresses import Allow, is_public, parse_allow
from .errors import (
    AddressRefused,
    BadAnswer,
    BadRedirect,
    BadUrl,
    FetchCode,
    FetchError,
    HeadersTooLarge,
    InsecureServer,
    LookupFailed,
    NameNotFound,
    TooLarge,
    TooManyRedirects,
    TooSlow,
    Unreachable,
)
from .fetcher import Fetched, Fetcher, Stream
from .limits import Limits
from .network import Resolver, system_resolve
from .urls import canonical_host

__all__ = [
    "AddressRefused",
    "Allow",
    "BadAnswer",
    "BadRedirect",
    "BadUrl",
    "FetchCode",
    "FetchError",
    "Fetched",
    "Fetcher",
    "HeadersTooLarge",
    "InsecureServer",
    "Limits",
    "LookupFailed",
    "NameNotFound",
    "Resolver",
    "Stream",
    "TooLarge",
    "TooManyRedirects",
    "TooSlow",
    "Unreachable",
    "canonical_host",
    "is_public",
    "parse_allow",
    "system_resolve",
]
