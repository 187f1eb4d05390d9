"""The articles and questions of XQuAD, and a copy of everything that is asked them.

The file is in SQuAD's format: https://github.com/google-deepmind/xquad (CC BY-SA 4.0).
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

from tools.harness.cloud import running_cloud
from tools.harness.person import Person
from tools.harness.reference import REFERENCE
from tools.harness.site import Page, Site, running_site

DATA = REFERENCE / "data" / "xquad.en.json"


@dataclass(frozen=True)
class Article:
    """A long page without a title of its own: its first words are one."""

    number: int
    paragraphs: Sequence[str]

    @property
    def text(self) -> str:
        return " ".join(self.paragraphs)

    @property
    def path(self) -> str:
        return f"/article-{self.number}"

    def page(self) -> Page:
        title = escape(" ".join(self.paragraphs[0].split()[:8]))
        body = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in self.paragraphs)
        markup = f"<html><head><title>{title}</title></head><body><article>{body}</article></body>"
        return Page(f"{markup}</html>".encode())

    def holds(self, paragraph: int, passage: str) -> bool:
        """Whether the passage lies for the most part in that paragraph, or it in the passage."""
        begin = len(" ".join(self.paragraphs[:paragraph])) + bool(paragraph)
        end = begin + len(self.paragraphs[paragraph])
        start = self.text.find(passage)
        shared = min(end, start + len(passage)) - max(begin, start)
        return start >= 0 and 2 * shared >= min(len(passage), end - begin)


@dataclass(frozen=True)
class Question:
    """What is asked, and where the answer stands: `answer` is the character of the paragraph at
    which it begins. `number` is its place among all questions."""

    text: str
    article: int
    paragraph: int
    answer: int
    number: int = 0


def read(path: Path) -> tuple[list[Article], list[Question]]:
    """The articles and the questions of a file in SQuAD's format, with single spaces."""
    articles, questions = [], []
    for number, entry in enumerate(json.loads(path.read_text("utf-8"))["data"]):
        paragraphs = [" ".join(each["context"].split()) for each in entry["paragraphs"]]
        articles.append(Article(number, paragraphs))
        questions += [
            Question(asked["question"], number, position, _answer(each["context"], asked))
            for position, each in enumerate(entry["paragraphs"])
            for asked in each["qas"]
        ]
    numbered = [replace(each, number=number) for number, each in enumerate(questions)]
    return articles, numbered


def _answer(context: str, asked: Mapping[str, Any]) -> int:
    """The character at which the answer begins, in the paragraph with single spaces."""
    before = context[: asked["answers"][0]["answer_start"]]
    return len(" ".join(f"{before}x".split())) - 1


class Evaluation:
    """One copy with all articles in it, each as the page that `page` makes of it."""

    def __init__(
        self,
        person: Person,
        site: Site,
        articles: Sequence[Article],
        page: Callable[[Article], Page] = Article.page,
    ) -> None:
        self._person = person
        self._articles = articles
        self._took: list[float] = []
        self._similarities: dict[bool, list[float]] = {True: [], False: []}
        ids = [person.submit(site.add(each.path, page(each))) for each in articles]
        for asset_id in ids:
            asset = person.finished(asset_id)
            if asset["status"] != "SEARCHABLE":
                sys.exit(f"{asset['url']}: {asset['error']}")
        self._numbers = {asset_id: number for number, asset_id in enumerate(ids)}
        person.search("The first query loads the model.")
        self._warm_up()

    def _warm_up(self) -> None:
        """Until two queries are fast: the first ones wait for the model."""
        end, fast = time.monotonic() + 60, 0
        for number in range(1_000):
            began = time.monotonic()
            self._person.search(f"Is the model there, for the {number}th time?")
            fast = fast + 1 if time.monotonic() - began < 0.2 else 0
            if fast == 3 or time.monotonic() > end:
                return

    def ask(self, query: str) -> list[dict[str, Any]]:
        began = time.perf_counter()
        results = self._person.search(query)
        self._took.append(time.perf_counter() - began)
        return results

    def line(self, questions: Sequence[Question], words: Sequence[tuple[str, int]]) -> str:
        """The percentages, and the times in milliseconds."""
        article_first = paragraph_first = paragraph_in_five = 0
        for question in questions:
            results = self.ask(question.text)
            found = self.holding(question, best_passages(results))
            article_first += self.first(results) == question.article
            for result in results:
                if result["similarity"] is not None:
                    right = self._numbers[result["asset_id"]] == question.article
                    self._similarities[right].append(result["similarity"])
            paragraph_first += any(found[:1])
            paragraph_in_five += any(found[:5])
        rare = sum(self.first(self.ask(word)) == number for word, number in words)
        median = statistics.median(self._took) * 1000
        slowest = statistics.quantiles(self._took, n=100)[-1] * 1000
        shares = [
            *(n / len(questions) for n in (article_first, paragraph_first, paragraph_in_five)),
            rare / len(words),
        ]
        cells = [f"{100 * share:.1f}%" for share in shares]
        return " | ".join([*cells, f"{median:.0f}, {slowest:.0f} ms"])

    def similarities(self) -> str:
        """What the thresholds in allthethings/search/search.py are chosen by."""
        right, wrong = (
            statistics.quantiles(self._similarities[key], n=100) for key in (True, False)
        )
        return (
            f"similarity of the right article: 1% below {right[0]:.2f}, 5% below {right[4]:.2f}, "
            f"half below {right[49]:.2f}; of others shown: half below {wrong[49]:.2f}, "
            f"95% below {wrong[94]:.2f}, 99% below {wrong[98]:.2f}"
        )

    def holding(
        self, question: Question, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
    ) -> list[bool]:
        """Whether each passage, with its result, holds the paragraph that answers."""
        article = self._articles[question.article]
        return [
            self._numbers[result["asset_id"]] == question.article
            and article.holds(question.paragraph, passage["text"])
            for result, passage in pairs
        ]

    def first(self, results: Sequence[Mapping[str, Any]]) -> int | None:
        """The number of the article that is found first."""
        return self._numbers[results[0]["asset_id"]] if results else None


def best_passages(
    results: Sequence[Mapping[str, Any]],
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """All passages of a page of results with their results, best first."""
    pairs = [(result, passage) for result in results for passage in result["passages"]]
    return sorted(pairs, key=lambda pair: -pair[1]["score"])


@contextmanager
def empty_copy(shape: Mapping[str, str]) -> Iterator[tuple[Person, Site]]:
    """Somebody with a copy of everything, and a site whose pages it may fetch."""
    with tempfile.TemporaryDirectory(prefix="evaluate-") as folder, running_site() as site:
        env = {"FETCH_ALLOW": "127.0.0.1", "EXAMPLES": "0", **shape}
        with running_cloud(Path(folder) / "var", env) as cloud:
            person = Person(cloud)
            yield person, site
            person.http.close()
