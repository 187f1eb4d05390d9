"""One tree of errors, in words for the person who typed the URL."""

from __future__ import annotations


class FetchError(Exception):
    """Why a URL was not fetched.

    `str(error)` is one sentence to show to a person: it holds text that a stranger chose
    (host names, certificate words), so escape it as any other. `permanent` tells whether the
    same fetch is bound to fail again: False means that trying later can help.
    """

    permanent = True


class BadUrl(FetchError):
    """The text is not a URL that may be fetched: its form, scheme, userinfo or port."""


class AddressRefused(FetchError):
    """The host leads to an address that is not public."""


class NameNotFound(FetchError):
    """The host name has no address."""


class LookupFailed(FetchError):
    """The name servers could not say whether the name has an address."""

    permanent = False


class Unreachable(FetchError):
    """No connection came about, or it broke off."""

    permanent = False


class InsecureServer(FetchError):
    """TLS failed: the certificate is not one for this host, or there is no TLS at all."""


class TooSlow(FetchError):
    """The deadline passed."""

    permanent = False


class TooLarge(FetchError):
    """More headers or more bytes than the limits allow."""


class BadAnswer(FetchError):
    """What came back is not an HTTP answer that can be used."""


class TooManyRedirects(BadAnswer):
    """Another redirect after the last one that the limits allow."""
