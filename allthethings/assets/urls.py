"""URLs as people type them, their one spelling that identifies an asset, and their sites."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit, urlunsplit

from url_normalize import url_normalize

from allthethings.errors import BadInput
from allthethings.hosts import canonical_host

MAX_URL_LENGTH = 2_000
# Parameters that tell who shared or clicked a link, in lower case: those that Firefox and Brave
# strip (Firefox's setting privacy.query_stripping.strip_list), and more of TikTok, Google Ads,
# HubSpot, Mailchimp and Matomo, whose pk_ other sites have for primary keys.
_TRACKERS = """
    __hsfp __hssc __hstc __s _hsenc _openstat dclid fbclid gbraid gclid hsctatracking igshid
    mc_eid mkt_tok ml_subscriber ml_subscriber_hash msclkid oft_c oft_ck oft_d oft_id oft_ids
    oft_k oft_lk oft_sk oly_anon_id oly_enc_id rb_clickid s_cid twclid vero_conv vero_id wbraid
    wickedid yclid
    ttclid gclsrc _hsmi mc_cid
    pk_campaign pk_cid pk_content pk_cpn pk_group pk_keyword pk_kwd pk_medium pk_placement pk_source
"""
TRACKERS = frozenset(_TRACKERS.split())
# The families of Google Analytics and of Matomo.
TRACKER_PREFIXES = ("utm_", "mtm_", "piwik_")
NO_URL = "Enter the URL of a thing to index."


def clean_url(text: str) -> str:
    """The URL as it is asked for: trimmed, with a lower-case scheme, without fragment.

    Raises BadInput for what is not an http or https URL with a valid host.
    """
    url = text.strip()
    if not url:
        raise BadInput(NO_URL)
    if len(url) > MAX_URL_LENGTH:
        raise BadInput(f"This URL is longer than {MAX_URL_LENGTH:,} characters.")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise BadInput("A URL has no spaces or control characters in it.")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError as error:
        raise BadInput(f"This is not a URL: {error}.") from error
    if parts.scheme and parts.scheme not in ("http", "https") and "://" in url:
        raise BadInput(f"Only http and https URLs can be indexed, not {parts.scheme}:.")
    if parts.scheme not in ("http", "https") or not host:
        raise BadInput("This is not a URL: it should look like https://example.com/talk.mp3.")
    canonical_host(host)
    return urlunsplit(parts._replace(fragment=""))


def _without_trackers(query: str) -> str:
    """The query without the parameters that tell who shared or clicked a link."""
    pairs = query.split("&")
    kept = [pair for pair in pairs if not _tracks(unquote(pair.partition("=")[0]).lower())]
    return query if len(kept) == len(pairs) else "&".join(kept)


def _tracks(name: str) -> bool:
    return name in TRACKERS or name.startswith(TRACKER_PREFIXES)


def url_key(url: str) -> str:
    """The one spelling of a URL; a unique index on it decides which URLs are the same.

    Scheme and host in lower case and IDNA form, no default port, no dot segments, one form of
    percent-encoding, no fragment, no dot at the end of the host (RFC 3986, section 6.2), and no
    parameters that only track.
    """
    try:
        parts = urlsplit(url)
        host, port = canonical_host(parts.hostname or ""), parts.port
        netloc = f"[{host}]" if ":" in host else host
        if port not in (None, {"http": 80, "https": 443}.get(parts.scheme)):
            netloc += f":{port}"
        if "@" in parts.netloc:
            netloc = f"{parts.netloc.rpartition('@')[0]}@{netloc}"
        query = _without_trackers(parts.query)
        path = parts.path or "/"
        plain = urlunsplit((parts.scheme, netloc, path, query, ""))
        return url_normalize(plain) or plain
    except (ValueError, UnicodeError) as error:
        raise BadInput(f"This is not a URL: {error}.") from error


def host_of(url: str) -> str:
    """The host of a URL, with its port; empty for what is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    web = parts.scheme.lower() in ("http", "https")
    return parts.netloc.rpartition("@")[2].lower() if web else ""


def sites_of(url: str) -> list[str]:
    """The sites that a URL belongs to: its host, and the domains above it but the topmost.

    Each is spelled as `canonical_host` spells it. Raises BadInput for a URL without a valid host.
    """
    host = canonical_host(urlsplit(url).hostname or "")
    if ":" in host or host.replace(".", "").isdigit():
        return [host]
    labels = host.split(".")
    return [host, *(".".join(labels[start:]) for start in range(1, len(labels) - 1))]
