"""One tree of errors, in words for the person who typed the URL."""

from __future__ import annotations

from enum import StrEnum


class FetchCode(StrEnum):
    """Why a URL was not fetched, in words for programs; they never change their meaning."""

    BAD_URL = "bad_url"
    ADDRESS_REFUSED = "address_refused"
    NAME_NOT_FOUND = "name_not_found"
    LOOKUP_FAILED = "lookup_failed"
    UNREACHABLE = "unreachable"
    INSECURE_SERVER = "insecure_server"
    TOO_SLOW = "too_slow"
    TOO_LARGE = "too_large"
    HEADERS_TOO_LARGE = "headers_too_large"
    BAD_ANSWER = "bad_answer"
    BAD_REDIRECT = "bad_redirect"
    TOO_MANY_REDIRECTS = "too_many_redirects"


class FetchError(Exception):
    """Why a URL was not fetched.

    `str(error)` is one sentence to show to a person: it holds text that a stranger chose
    (host names, certificate words), so escape it as any other. `permanent` tells whether the
    same fetch is bound to fail again: False means that trying later can help.
    """

    code: FetchCode
    permanent = True


class BadUrl(FetchError):
    """The text is not a URL that may be fetched: its form, scheme, userinfo or port."""

    code = FetchCode.BAD_URL


class AddressRefused(FetchError):
    """The host leads to an address that is not public."""

    code = FetchCode.ADDRESS_REFUSED


class NameNotFound(FetchError):
    """The host name has no address."""

    code = FetchCode.NAME_NOT_FOUND


class LookupFailed(FetchError):
    """The name servers could not say whether the name has an address."""

    code = FetchCode.LOOKUP_FAILED
    permanent = False


class Unreachable(FetchError):
    """No connection came about, or it broke off."""

    code = FetchCode.UNREACHABLE
    permanent = False


class InsecureServer(FetchError):
    """TLS failed: the certificate is not one for this host, or there is no TLS at all."""

    code = FetchCode.INSECURE_SERVER


class TooSlow(FetchError):
    """The deadline passed."""

    code = FetchCode.TOO_SLOW
    permanent = False


class TooLarge(FetchError):
    """The content has more bytes than the limits allow."""

    code = FetchCode.TOO_LARGE


class HeadersTooLarge(TooLarge):
    """The headers have more bytes than the limits allow."""

    code = FetchCode.HEADERS_TOO_LARGE


class BadAnswer(FetchError):
    """What came back is not an HTTP answer that can be used."""

    code = FetchCode.BAD_ANSWER


class TooManyRedirects(BadAnswer):
    """Another redirect after the last one that the limits allow."""

    code = FetchCode.TOO_MANY_REDIRECTS


class BadRedirect(BadUrl):
    """The server redirects to a URL that may not be fetched."""

    code = FetchCode.BAD_REDIRECT
