"""How well the search finds what it should: `make eval`.

    python -m tools.evaluate [--shapes | --typed | --languages | --speech | --beir FOLDER]
                             [--engine NAME] [--articles N] [--every N]
                             [--data FILE]

Starts a copy of everything, submits each article of XQuAD as one long page over HTTP, asks all
its questions and words that only one article has over HTTP, and prints a line of a table. With
`--shapes` a line for each way to cut the texts, with `--typed` one for each way to type a question
and with `--languages` one for each other language (evaluate_typed.py), with `--speech` one for the
articles read aloud (evaluate_speech.py), with `--beir` one for another collection
(evaluate_beir.py).
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from tools import evaluate_beir, evaluate_sentences, evaluate_speech, evaluate_typed
from tools.harness.person import Person
from tools.harness.speech import ENGINES, Engine
from tools.harness.xquad import DATA, Article, Evaluation, Question, empty_copy, read

# The setting of a cross-encoder. Where it is set, each table has a line with it, too.
RERANKER = "RERANKER"
RARE_WORDS = 200
HEADER = """\
| passages | article first | paragraph first | paragraph in 5 | rare word | median, 99th |
|---|---|---|---|---|---|"""
SHAPES: Sequence[Mapping[str, str]] = (
    {},
    {"PASSAGE_TITLE": "1"},
    {"PASSAGE_SIZE": "60"},
    {"PASSAGE_SIZE": "100"},
    {"PASSAGE_SIZE": "150"},
    {"PASSAGE_SIZE": "300"},
    {"PASSAGE_OVERLAP": "1"},
    {"PASSAGE_OVERLAP": "2", "PASSAGE_SIZE": "100"},
)


def rare_words(articles: Sequence[Article], count: int) -> list[tuple[str, int]]:
    """Words that occur in one article alone, each with its number; the same at every call."""
    holding: Counter[str] = Counter()
    where = {}
    for article in articles:
        for word in sorted(set(re.findall(r"[a-z]{4,}", article.text.lower()))):
            holding[word] += 1
            where[word] = article.number
    rare = [word for word, times in sorted(holding.items()) if times == 1]
    return [(word, where[word]) for word in random.Random(48).sample(rare, count)]  # noqa: S311


def lines(
    shapes: Sequence[Mapping[str, str]], articles: Sequence[Article], questions: Sequence[Question]
) -> Iterator[str]:
    """A line of the table for each shape."""
    words = rare_words(articles, RARE_WORDS)
    yield f"{len(articles)} pages, {len(questions)} questions, {RARE_WORDS} rare words"
    yield HEADER
    for shape in (*shapes, *reranked()):
        with empty_copy(shape) as (person, site):
            evaluation = Evaluation(person, site, articles)
            check_reranker(person, shape)
            yield f"| {name_of(shape) or 'as they are'} | {evaluation.line(questions, words)} |"
            if not shape:
                yield evaluation.similarities()


def reranked() -> Sequence[Mapping[str, str]]:
    """The settings of a copy with the cross-encoder, if there is one."""
    folder = os.environ.get(RERANKER)
    return ({RERANKER: folder},) if folder else ()


def name_of(shape: Mapping[str, str]) -> str:
    """The settings of a copy in words; empty where there are none."""
    return ", ".join(
        f"reranker {Path(value).name}"
        if key == RERANKER
        else f"{key.removeprefix('PASSAGE_').lower()} {value}"
        for key, value in shape.items()
    )


def check_reranker(person: Person, shape: Mapping[str, str]) -> None:
    """Ends the program where the copy has a cross-encoder that does not answer."""
    found = person.http.get("/search", params={"query": "Is the cross-encoder there?"}).json()
    if found["reranked"] is not (True if RERANKER in shape else None):
        log = (person.cloud.data_dir / "logs" / "app.log").read_text()
        sys.exit(f"The cross-encoder does not answer. The end of the app's log:\n{log[-2000:]}")


def typed(
    made: Mapping[str, evaluate_typed.Typed],
    articles: Sequence[Article],
    questions: Sequence[Question],
) -> Iterator[str]:
    """The table of how people type, with a line for each way."""
    with empty_copy({}) as (person, site):
        evaluation = Evaluation(person, site, articles)
        yield from evaluate_typed.report(evaluation, made, questions)


def spoken(
    engines: Sequence[Engine], articles: Sequence[Article], questions: Sequence[Question]
) -> Iterator[str]:
    """The table of the articles read aloud, with a line for each engine."""
    yield evaluate_speech.HEADER
    for engine in engines:
        with empty_copy({}) as (person, site):
            yield evaluate_speech.line(person, site, engine, articles, questions)
    with empty_copy({}) as (person, site):
        yield evaluate_speech.pages(person, site, articles, questions)


def beir(folder: Path) -> int:
    """The table of another collection."""
    try:
        collection = evaluate_beir.read(folder)
    except evaluate_beir.BadCollection as error:
        print(error, file=sys.stderr)
        return 1
    for shape in ({}, *reranked()):
        named = ", ".join(filter(None, [collection.name, name_of(shape)]))
        with empty_copy(shape) as (person, site):
            check_reranker(person, shape)
            for line in evaluate_beir.report(person, site, replace(collection, name=named)):
                print(line, flush=True)
    return 0


def chosen(given: argparse.Namespace) -> tuple[Sequence[Article], Sequence[Question]]:
    """The first articles, and each Nth of their questions."""
    articles, questions = read(given.data)
    articles = articles[: given.articles]
    return articles, [each for each in questions if each.article < len(articles)][:: given.every]


def told(given: argparse.Namespace) -> Iterator[str]:
    """What was asked for, over the articles of XQuAD."""
    articles, questions = chosen(given)
    if given.typed or given.languages:
        translated = evaluate_typed.languages(evaluate_typed.others(given.data))
        made = translated if given.languages else evaluate_typed.ways(articles) | translated
        return typed(made, articles, questions)
    if given.speech:
        return spoken(installed(given.engine), articles, questions)
    shapes = SHAPES if given.shapes else SHAPES[:1]
    in_part = given.articles or given.every > 1
    of_sentences = [] if in_part else evaluate_sentences.report(given.data)
    return chain(lines(shapes, articles, questions), of_sentences)


def installed(name: str | None) -> list[Engine]:
    """The engines that are installed, or the one of this name if it is."""
    return [each for each in ENGINES if each.is_here and name in (None, each.name)]


def missing(given: argparse.Namespace) -> str:
    """What is not here and has to be; empty if everything is."""
    if not given.data.is_file():
        return (
            f"There is no {given.data}. What is asked is the English part of XQuAD: 48 articles "
            "with questions.\nFetch xquad.en.json from https://github.com/google-deepmind/xquad "
            "(CC BY-SA 4.0), and name it: --data FILE"
        )
    if given.speech and not installed(given.engine):
        wanted = [given.engine] if given.engine else [each.name for each in ENGINES]
        return (
            f"There is no {' and no '.join(wanted)}, to read the articles aloud. On Debian and "
            f"Ubuntu: apt-get install {' '.join(wanted)}"
        )
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--shapes", action="store_true", help="compare ways to cut the texts")
    which.add_argument("--typed", action="store_true", help="compare ways to type questions")
    which.add_argument("--languages", action="store_true", help="ask in other languages alone")
    which.add_argument("--speech", action="store_true", help="the articles read aloud")
    which.add_argument("--beir", type=Path, metavar="FOLDER", help="a collection in BEIR's form")
    parser.add_argument("--engine", choices=[each.name for each in ENGINES], help="who reads aloud")
    parser.add_argument("--articles", type=int, help="the first so many articles alone")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each Nth question alone")
    parser.add_argument("--data", type=Path, default=DATA)
    given = parser.parse_args()
    if given.beir:
        return beir(given.beir)
    if what := missing(given):
        print(what, file=sys.stderr)
        return 1
    for each in told(given):
        print(each, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
