"""What a person types into the search box, and the filters beside it; pure.

lighthouse "fresnel lens" -radio site:example.org kind:audio after:2024-05 before:2025
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from allthethings.errors import BadInput
from allthethings.store.passage_index import Filters

FIELDS = ("kind", "site", "after", "before")
"""The names of the filters, in the query's text and as fields of the form."""
MAX_TERMS = 20
"""Phrases and excluded words of a query: the index is asked for each of them."""
_TERM = re.compile(r'(?P<minus>-?)(?:(?P<field>[A-Za-z]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<bare>\S+))')
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")


@dataclass(frozen=True)
class Query:
    """`text` is what is looked for, in the order typed; `phrases` are those parts of it that a
    thing has to hold word for word, `without` what it must not hold."""

    text: str
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)


def parse(text: str, fields: Mapping[str, str], kinds: Sequence[str]) -> Query:
    """The query in a text and in the form's FIELDS, which have to hold both. Raises BadInput."""
    query = Query("")
    words: list[str] = []
    for name in FIELDS:
        if value := fields.get(name, "").strip():
            query = _filtered(query, name, value, kinds, negative=False)
    for term in _TERM.finditer(text):
        negative, field = bool(term["minus"]), (term["field"] or "").lower()
        value = (term["bare"] if term["quoted"] is None else term["quoted"]).strip()
        if field in FIELDS:
            query = _filtered(query, field, value, kinds, negative=negative)
            continue
        if field:  # no filter of ours: a word with a colon in it
            value = f"{term['field']}:{value}"
        if not value:
            continue
        if negative:
            query = replace(query, without=(*query.without, value))
            continue
        words.append(value)
        if term["quoted"] is not None and not field:
            query = replace(query, phrases=(*query.phrases, value))
    if len(query.phrases) + len(query.without) > MAX_TERMS:
        raise BadInput(f"A query may have at most {MAX_TERMS} exact phrases and excluded words.")
    return replace(query, text=" ".join(words))


def _filtered(
    query: Query, name: str, value: str, kinds: Sequence[str], *, negative: bool
) -> Query:
    filters = query.filters
    if name == "kind":
        kind = _kind(value, kinds)
        if negative:
            filters = replace(filters, not_kinds=(*filters.not_kinds, kind))
        elif filters.kinds and kind not in filters.kinds:
            raise BadInput(
                f"A thing has one kind: it cannot be both {filters.kinds[0]} and {kind}."
            )
        else:
            filters = replace(filters, kinds=(kind,))
    elif name == "site":
        site = _site(value)
        if negative:
            filters = replace(filters, not_sites=(*filters.not_sites, site))
        else:
            filters = replace(filters, sites=(*filters.sites, site))
    elif negative:
        raise BadInput(f"-{name}: is not supported. Use before: or after: without the minus.")
    else:
        moment = _moment(name, value)
        if name == "after":
            filters = replace(filters, after=max(moment, filters.after or moment))
        else:
            filters = replace(filters, before=min(moment, filters.before or moment))
    return replace(query, filters=filters)


def _kind(value: str, kinds: Sequence[str]) -> str:
    """`page` is enough for `web page`."""
    wanted = value.lower()
    for kind in kinds:
        if wanted == kind or wanted in kind.split():
            return kind
    raise BadInput(f"There is no kind {value!r}. The kinds are: {', '.join(kinds)}.")


def _site(value: str) -> str:
    try:
        host = urlsplit(value if "://" in value else f"//{value}").hostname or ""
        site = host.encode("idna").decode("ascii") if not host.isascii() else host
    except ValueError:  # UnicodeError is one
        site = ""
    if not site or not re.fullmatch(r"[a-z0-9._:-]+", site):
        raise BadInput(f"{value!r} is not a site. Write it like site:example.org.")
    return site.rstrip(".")


def _moment(name: str, value: str) -> datetime:
    """The first moment of a year, a month or a day."""
    parts = _DATE.fullmatch(value)
    try:
        if parts is None:
            raise ValueError(value)
        year, month, day = (int(part or 1) for part in parts.groups())
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        raise BadInput(
            f"{value!r} is not a date. Write it like {name}:2025, {name}:2025-03 "
            f"or {name}:2025-03-31."
        ) from None
