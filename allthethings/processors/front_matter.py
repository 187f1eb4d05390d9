"""The metadata that generators of sites put before a Markdown text: YAML as Jekyll has it, or TOML
as Hugo has it too."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from typing import Any

from allthethings.assets.facts import Facts, day_of
from allthethings.sources.markup import MAX_TITLE

# At most so many characters: the parser of YAML is slow.
FRONT_MATTER = re.compile(r"\A(---|\+\+\+)\n(.{,20000}?)\n\1\n", re.DOTALL)
# Names under which the author may stand.
AUTHORS = ("author", "authors")


def split(text: str) -> tuple[Facts, str]:
    """What the metadata of a text tells of it, and the text without the metadata. Those that cannot
    be read tell nothing."""
    found = FRONT_MATTER.match(text)
    if not found:
        return Facts(), text
    marks, told = found.groups()
    values = _toml(told) if marks == "+++" else _yaml(told)
    named = values if isinstance(values, dict) else {}
    authors = next((named[name] for name in AUTHORS if named.get(name)), None)
    dated = named.get("date")
    day = day_of(str(dated)) if isinstance(dated, (str, date)) else None
    return Facts(_words(named.get("title")), _words(authors), day), text[found.end() :]


def _yaml(told: str) -> Any:
    import yaml

    try:
        return yaml.load(told, yaml.BaseLoader)  # noqa: S506 - makes strings, lists and dicts alone
    except (yaml.YAMLError, RecursionError):
        return None


def _toml(told: str) -> Any:
    try:
        return tomllib.loads(told)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None


def _words(value: Any) -> str | None:
    """A text, or the texts of a list, as one line."""
    texts = value if isinstance(value, list) else [value]
    line = ", ".join(" ".join(each.split()) for each in texts if isinstance(each, str))
    return line[:MAX_TITLE] or None
