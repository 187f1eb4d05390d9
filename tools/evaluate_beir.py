"""How well the search ranks any collection in BEIR's form; a part of `make eval`.

    python -m tools.evaluate --beir FOLDER

The folder has corpus.jsonl (`_id`, `title`, `text`), queries.jsonl (`_id`, `text`) and
qrels/test.tsv (query, document, relevance, with a line of headings), as those of
https://github.com/beir-cellar/beir have. Each document becomes a page that is indexed over HTTP by
a copy of everything; each query with a judgement is asked over HTTP.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from tools.harness.indexing import index_all
from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.measures import Judgements, ndcg, recall, reciprocal_rank

# How deep rankings are looked at: nDCG and MRR, and recall.
FIRST, DEEP = 10, 100
HEADER = """\
| collection | documents | queries | nDCG@10 | recall@100 | MRR@10 |
|---|---|---|---|---|---|"""


class BadCollection(Exception):
    """The folder does not have what a collection has."""


@dataclass(frozen=True)
class Document:
    """A document of a collection."""

    id: str
    title: str
    text: str

    @property
    def path(self) -> str:
        """The path of its page."""
        return f"/document/{quote(self.id, safe='')}"

    def page(self) -> Page:
        """The document as a web page."""
        title = f"<title>{escape(self.title)}</title>" if self.title else ""
        body = f"<article><p>{escape(self.text)}</p></article>"
        return Page(f"<html><head>{title}</head><body>{body}</body></html>".encode())


@dataclass(frozen=True)
class Collection:
    """Documents, and queries with the judgements of documents."""

    name: str
    documents: Sequence[Document]
    queries: Mapping[str, str]
    judgements: Mapping[str, Judgements]


def read(folder: Path) -> Collection:
    """The collection in a folder. Raises BadCollection."""
    try:
        documents = [
            Document(str(each["_id"]), str(each.get("title") or ""), str(each["text"]))
            for each in _lines(folder / "corpus.jsonl")
        ]
        queries = {str(each["_id"]): str(each["text"]) for each in _lines(folder / "queries.jsonl")}
        judgements = _judgements(folder / "qrels" / "test.tsv")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadCollection(f"{folder} is no collection in BEIR's form: {error!r}") from error
    asked = {each: queries[each] for each in judgements if each in queries}
    if not documents or not asked:
        raise BadCollection(f"{folder} has no documents, or no query with a judgement.")
    return Collection(folder.name, documents, asked, judgements)


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines if line.strip())


def _judgements(path: Path) -> dict[str, dict[str, int]]:
    """The judgements of each query that has a relevant document."""
    found: dict[str, dict[str, int]] = {}
    with path.open(encoding="utf-8", newline="") as rows:
        for query, document, relevance in list(csv.reader(rows, delimiter="\t"))[1:]:
            found.setdefault(query, {})[document] = int(relevance)
    return {query: judged for query, judged in found.items() if max(judged.values()) > 0}


def index(person: Person, site: Site, documents: Sequence[Document]) -> int:
    """Index all documents. Returns how many are not searchable, such as those without a text."""
    counts = index_all(person, [site.add(each.path, each.page()) for each in documents])
    return len(documents) - counts.get("SEARCHABLE", 0)


def ranking(person: Person, query: str, depth: int) -> list[str]:
    """The ids of the documents that are found, best first."""
    found: list[str] = []
    page, more = 1, True
    while more and len(found) < depth:
        answer = person.http.get("/search", params={"query": query, "page": page})
        if answer.status_code == 400:  # the search syntax refuses it
            return found
        answer.raise_for_status()
        told = answer.json()
        found += [_document_at(each["url"]) for each in told["results"]]
        page, more = page + 1, told["more"]
    return found[:depth]


def _document_at(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


def line(person: Person, collection: Collection) -> str:
    """The line of the table for an indexed collection."""
    scores: list[tuple[float, float, float]] = []
    for query, text in collection.queries.items():
        judged = collection.judgements[query]
        found = ranking(person, text, DEEP + 1)
        # Some collections ask with a document of their own, which is no answer.
        others = [each for each in found if each != query]
        first, deep = ndcg(others, judged, FIRST), recall(others, judged, DEEP)
        scores.append((first, deep, reciprocal_rank(others, judged, FIRST)))
    means = " | ".join(f"{statistics.fmean(column):.3f}" for column in zip(*scores, strict=True))
    documents, queries = len(collection.documents), len(collection.queries)
    return f"| {collection.name} | {documents:,} | {queries:,} | {means} |"


def report(person: Person, site: Site, collection: Collection) -> Iterator[str]:
    """The table, for a copy that is empty so far."""
    yield HEADER
    if missing := index(person, site, collection.documents):
        print(f"{missing} documents are not searchable.", file=sys.stderr)
    yield line(person, collection)
