"""Reads what a person types into the search box and the filters beside it.

lighthouse "fresnel lens" -radio site:example.org kind:audio after:2024-05 before:2025
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Literal
from urllib.parse import urlsplit

from allthethings.assets.languages import code_of
from allthethings.errors import BadInput
from allthethings.hosts import canonical_host
from allthethings.search.words import spellings
from allthethings.store.conditions import Condition, Operator, Value

# Exact phrases and excluded words of a query: the index is searched once for each.
MAX_TERMS = 20
# Filters of a query, equal ones too: each is a clause or more, of which MongoDB allows some, and on
# the page a link that holds the rest of the query.
MAX_FILTERS = 50
# Words of a longer query are text: nobody types so many, and pasted text has dashes and quotation
# marks of its own. Filters at its end count.
MAX_TYPED_WORDS = 25
# Words of an exact phrase: the time to find them in a text grows with their number. MAX_TYPED_WORDS
# is no bound for Chinese, in which each character is a word.
MAX_PHRASE_WORDS = 100
TERM = re.compile(r'(?P<minus>-?)(?:(?P<field>[A-Za-z]+):)?(?:"(?P<quoted>[^"]*)"?|(?P<bare>\S+))')
# As facets name it: two colons at least, and no scheme.
_IPV6 = re.compile(r"[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?")


@dataclass(frozen=True)
class Query:
    """What is searched for: `text` in the order typed, `phrases` that an asset must hold word for
    word, `without` what it must not hold, and the conditions of the filters."""

    text: str
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    filters: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Filter:
    """What `name:value` asks of a passage, and `-name:value` if there is a `negated` operator.

    `read` turns what was typed, and the names of the kinds, into the value to compare with; it
    raises BadInput. With `single`, two different values contradict each other. The form has a
    field for it with this `label` and `example`, in which people choose a kind or type the value.
    """

    path: str
    operator: Operator
    read: Callable[[str, Sequence[str]], Value]
    label: str
    example: str
    entry: Literal["kind", "date", "text"] = "text"
    negated: Operator | None = None
    single: bool = False


def parse(text: str, fields: Mapping[str, str], kinds: Sequence[str]) -> Query:
    """The query in a text and in the form's FIELDS; both must hold. Raises BadInput."""
    words: list[str] = []
    phrases: list[str] = []
    without: list[str] = []
    filters: list[Condition] = []
    for name in FIELDS:
        if value := fields.get(name, "").strip():
            _add(filters, name, value, kinds)
    begin = _begin_of_syntax(text)
    words += text[:begin].split()
    terms = list(TERM.finditer(text, begin))
    if len(filters) + sum(map(is_filter, terms)) > MAX_FILTERS:
        raise BadInput(f"A query may have at most {MAX_FILTERS} filters.")
    for term in terms:
        negative, field = bool(term["minus"]), (term["field"] or "").lower()
        value = (term["bare"] if term["quoted"] is None else term["quoted"]).strip()
        if is_filter(term):
            _add(filters, field, value, kinds, negative=negative)
            continue
        if field:  # a word with a colon in it
            value = f"{term['field']}:{value}"
        if value and negative:
            without.append(value)
        elif value:
            words.append(value)
            if term["quoted"] is not None and not field:
                phrases.append(value)
    if len(phrases) + len(without) > MAX_TERMS:
        raise BadInput(f"A query may have at most {MAX_TERMS} exact phrases and excluded words.")
    if any(len(spellings(phrase)) > MAX_PHRASE_WORDS for phrase in phrases):
        raise BadInput(f"An exact phrase may have at most {MAX_PHRASE_WORDS} words.")
    return Query(" ".join(words), tuple(phrases), tuple(without), tuple(filters))


def typed_filters(text: str) -> list[tuple[str, str]]:
    """The first MAX_FILTERS filters in the text of a query, as they are typed, each with the text
    without it."""
    found = filter(is_filter, TERM.finditer(text, _begin_of_syntax(text)))
    return [
        (term[0], " ".join((text[: term.start()] + text[term.end() :]).split()))
        for term in islice(found, MAX_FILTERS)
    ]


def is_filter(term: re.Match[str]) -> bool:
    """Whether a match of TERM is a filter."""
    return (term["field"] or "").lower() in FIELDS


def _begin_of_syntax(text: str) -> int:
    """Where the terms of a query begin: behind the words of a pasted one, else at its start."""
    at_end = _FILTERS_AT_END.search(text)
    end = at_end.start() if at_end else len(text)
    return end if len(text[:end].split()) > MAX_TYPED_WORDS else 0


def _add(
    conditions: list[Condition],
    name: str,
    typed: str,
    kinds: Sequence[str],
    *,
    negative: bool = False,
) -> None:
    one = FILTERS[name]
    operator = one.negated if negative else one.operator
    if operator is None:
        raise BadInput(f"-{name}: is not supported. Use before: or after: without the minus.")
    condition = Condition(one.path, operator, one.read(typed, kinds))
    if one.single and not negative:
        _check_single(conditions, condition, name)
    if condition not in conditions:
        conditions.append(condition)


def _check_single(conditions: Sequence[Condition], new: Condition, name: str) -> None:
    for other in conditions:
        if (other.path, other.operator) == (new.path, new.operator) and other != new:
            label = FILTERS[name].label.lower()
            raise BadInput(
                f"A thing has one {label}: it cannot be both {other.value} and {new.value}."
            )


def _kind(typed: str, kinds: Sequence[str]) -> str:
    """`page` is enough for `web page`."""
    wanted = typed.lower()
    for kind in kinds:
        if wanted == kind or wanted in kind.split():
            return kind
    raise BadInput(f"There is no kind {typed!r}. The kinds are: {', '.join(kinds)}.")


def _language(typed: str, _kinds: Sequence[str]) -> str:
    if code := code_of(typed):
        return code
    raise BadInput(f"{typed!r} is not a language. Write it like lang:de or lang:German.")


def _site(typed: str, _kinds: Sequence[str]) -> str:
    host = f"[{typed}]" if _IPV6.fullmatch(typed) else typed
    try:
        return canonical_host(urlsplit(host if "://" in host else f"//{host}").hostname or "")
    except (BadInput, ValueError):
        raise BadInput(f"{typed!r} is not a site. Write it like site:example.org.") from None


def _start_of(name: str) -> Callable[[str, Sequence[str]], datetime]:
    """Reads a year, a month or a day as its first moment."""

    def read(typed: str, _kinds: Sequence[str]) -> datetime:
        parts = _DATE.fullmatch(typed)
        try:
            if parts is None:
                raise ValueError(typed)
            year, month, day = (int(part or 1) for part in parts.groups())
            return datetime(year, month, day, tzinfo=UTC)
        except ValueError:
            raise BadInput(
                f"{typed!r} is not a date. Write it like {name}:2025, {name}:2025-03 "
                f"or {name}:2025-03-31."
            ) from None

    return read


# The filters by name. A new one needs its entry here and, unless the passages have its field
# already, the field in About and in FILTERED of the search indexes.
FILTERS: Mapping[str, Filter] = {
    "kind": Filter("kind", "$eq", _kind, "Kind", "audio", "kind", negated="$ne", single=True),
    "site": Filter("site", "$eq", _site, "Site", "example.org", negated="$ne"),
    "lang": Filter("language", "$eq", _language, "Language", "German", negated="$ne", single=True),
    "after": Filter("added", "$gte", _start_of("after"), "Added from", "2025-03-31", "date"),
    "before": Filter("added", "$lt", _start_of("before"), "Added before", "2026", "date"),
}
# Names of the filters, in the text of a query and as fields of the form.
FIELDS = tuple(FILTERS)
# Possessive, so that no text makes it try the same words again.
_FILTERS_AT_END = re.compile(
    rf'(?:(?<!\S)-?(?:{"|".join(FIELDS)}):(?:"[^"]*+"|[^\s"]\S*+)\s*+)++$', re.IGNORECASE
)
