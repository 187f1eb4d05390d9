"""Structured texts: tables (CSV) by their rows, JSON and YAML by the way to each value."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from allthethings.assets import locators
from allthethings.assets.locators import Rows
from allthethings.assets.passages import Piece
from allthethings.assets.texts import encodable
from allthethings.processors.decoding import decoded
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.processor import Content, svg
from allthethings.processors.tables import in_words
from allthethings.sources.fetch import Download
from allthethings.sources.markup import MAX_TITLE

if TYPE_CHECKING:
    from yaml import NodeEvent

CSV, TSV, JSON, YAML = "text/csv", "text/tab-separated-values", "application/json", "text/yaml"
JSON_LINES = "application/x-ndjson"
JSON_TYPES = (JSON, "text/json", "application/ld+json", "application/geo+json")
JSON_LINES_TYPES = (JSON_LINES, "application/jsonl", "application/x-jsonlines")
YAML_TYPES = (YAML, "text/x-yaml", "application/yaml", "application/x-yaml")
# Characters at the beginning of a table that tell what is between its cells.
SAMPLE = 20_000
SEPARATORS = ",;\t|"
# The line with which Excel may tell what is between the cells.
EXCEL_SEPARATOR = re.compile(r"sep=(.)\n")
# What the parser of JSON says of a text that goes on behind its value.
EXTRA_DATA = "Extra data"
# Between the steps of the way to a value.
STEP = " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} "
# The names under which a file of data may have its title.
TITLES = ("title", "name")


class DataProcessor(DocumentProcessor):
    """A table, or named values within each other. PyYAML is imported in the process that reads."""

    kind: ClassVar = "data"
    accepts: ClassVar = (CSV, "application/csv", TSV, *JSON_TYPES, *JSON_LINES_TYPES, *YAML_TYPES)
    signatures: ClassVar = {JSON: rb'(?:\xef\xbb\xbf)?\s*(?:\[\s*)?\{\s*"', YAML: rb"%YAML \d"}
    suffixes: ClassVar = {
        ".csv": CSV,
        ".tsv": TSV,
        ".json": JSON,
        ".geojson": JSON,
        ".jsonl": JSON_LINES,
        ".ndjson": JSON_LINES,
        ".yaml": YAML,
        ".yml": YAML,
    }
    is_text: ClassVar = True
    max_bytes: ClassVar = 6 * 1024 * 1024
    noun: ClassVar = "data file"
    no_text: ClassVar = "No values were found in this file."
    mark: ClassVar = svg("M2 3h12v10H2zM2 6.5h12M2 10h12M6 3v10")
    preload: ClassVar = ("chardet", "yaml")

    @staticmethod
    def parse(document: Download) -> Content:
        """A piece for each row of a table, with the names of its columns; else one for each
        object, under the way to it. Raises an error for what is not as its type says."""
        text, told = decoded(document), document.content_type
        if not text.strip():
            return Content((), "")
        if told in JSON_TYPES:
            return _of_values(_json_values(text))
        if told in JSON_LINES_TYPES:
            return _of_values(_json_lines(text))
        if told in YAML_TYPES:
            return _of_values(_yaml(text))
        return _content(_rows(text, "\t" if told == TSV else None))


def _content(pieces: Iterable[Piece], title: str | None = None) -> Content:
    found = tuple(pieces)
    return Content(found, "\n".join(piece.text for piece in found), title)


def _rows(text: str, separator: str | None) -> Iterator[Piece]:
    if line := EXCEL_SEPARATOR.match(text):
        separator, text = line.group(1), text[line.end() :]
    try:
        dialect = csv.Sniffer().sniff(text[:SAMPLE], separator or SEPARATORS)
    except csv.Error:  # one column, or nothing that is alike in each row
        dialect = csv.excel_tab if separator else csv.excel
    csv.field_size_limit(len(text))
    for number, words in in_words(csv.reader(io.StringIO(text), dialect)):
        yield Piece(words, Rows(number, number))


def _json_values(text: str) -> list[Any]:
    """The value; where another follows it, those of the lines, which many call JSON too."""
    try:
        return [_json(text)]
    except json.JSONDecodeError as error:
        if error.msg != EXTRA_DATA:
            raise
        return _json_lines(text)


def _json_lines(text: str) -> list[Any]:
    return [_json(line) for line in text.split("\n") if line.strip()]


def _json(text: str) -> Any:
    """The value, its numbers as they are written: some are longer than Python reads."""
    return json.loads(text, parse_int=str, parse_float=str, parse_constant=str)


def _yaml(text: str) -> list[Any]:
    """The value of each document, out of lists, dicts and strings. Tags mean nothing; an alias
    leads to the same object. Built from the parser's events: that takes a tenth of the time."""
    import yaml

    documents: list[Any] = []
    opened: list[_Opened] = [_Opened(documents)]
    anchors: dict[str, Any] = {}
    for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionEndEvent):
            opened.pop()
        elif isinstance(event, yaml.AliasEvent):
            opened[-1].add(anchors.get(event.anchor or "", ""))
        elif isinstance(event, yaml.NodeEvent):
            value = _begun(event)
            opened[-1].add(value)
            if event.anchor:
                anchors[event.anchor] = value
            if not isinstance(value, str):
                opened.append(_Opened(value))
    return documents


def _begun(event: NodeEvent) -> list[Any] | dict[str, Any] | str:
    from yaml import MappingStartEvent, ScalarEvent

    if isinstance(event, ScalarEvent):
        return str(event.value)
    return {} if isinstance(event, MappingStartEvent) else []


@dataclass
class _Opened:
    """A list or a dict that is being filled; of a dict, the name that waits for its value."""

    value: list[Any] | dict[str, Any]
    name: str | None = None

    def add(self, value: Any) -> None:
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.name is None:
            self.name = value if isinstance(value, str) else "?"
        else:
            self.value[self.name] = value
            self.name = None


def _of_values(values: Sequence[Any]) -> Content:
    first = values[0] if values else None
    title = None
    if isinstance(first, dict):
        told = (first.get(name) for name in TITLES)
        title = next((each for each in told if isinstance(each, str) and each.strip()), None)
    return _content(_members(values), title and encodable(" ".join(title.split())[:MAX_TITLE]))


def _members(values: Sequence[Any]) -> Iterator[Piece]:
    """The plain members of each object together, under the way to it. An object to which several
    ways lead is read once."""
    seen: set[int] = set()
    ahead: list[tuple[str, Any]] = [("", value) for value in reversed(values)]
    while ahead:
        way, value = ahead.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        told, inner = [], []
        for name, each in _named(value):
            if (words := _plain_words(each)) is None:
                inner.append((f"{way}{STEP}{name}"[:MAX_TITLE] if way else name, each))
            elif words:
                told.append(f"{name}: {words}" if isinstance(value, dict) else words)
        if told:
            yield Piece(encodable("; ".join(told)), locators.under(encodable(way[:MAX_TITLE])))
        ahead += reversed(inner)


def _named(value: Any) -> Iterable[tuple[str, Any]]:
    """The members of an object, and the items of a list by their numbers."""
    if isinstance(value, dict):
        return value.items()
    items = value if isinstance(value, list) else [value]
    return ((str(number), item) for number, item in enumerate(items, 1))


def _plain_words(value: Any) -> str | None:
    """A value in words, or several of a list; None for what has members of its own."""
    if isinstance(value, list):
        words = [None if isinstance(each, list) else _plain_words(each) for each in value]
        return None if None in words else ", ".join(filter(None, words))
    if isinstance(value, dict):
        return None
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())
