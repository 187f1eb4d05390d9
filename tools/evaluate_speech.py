"""How well the search finds what is said in recordings; a part of `make eval`.

    python -m tools.evaluate --speech [--articles 5] [--engine flite] [--data xquad.en.json]

The articles of XQuAD are read aloud by each engine that is installed, or by one, in several
voices, at several speeds and with noise, and indexed as recordings; then its questions are asked.
The sentence that is found should begin at the second at which the one that answers was spoken.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.harness.person import Person
from tools.harness.site import Page, Site
from tools.harness.speech import Engine, Recording, Speaker, record
from tools.harness.xquad import Article, Evaluation, Question

# Words a minute.
SPEEDS = (150, 175, 195)
# Decibels by which a voice is louder than the noise.
ABOVE_NOISE = (20.0, 10.0)
# Seconds by which a sentence may begin elsewhere than it was spoken.
NEAR = 5.0
# Seconds by which the answer may be spoken outside the sentence that is found: when exactly it is
# spoken is reckoned from its characters.
ROUGHLY = 1.0
HEADER = """\
| read by | recordings | minutes | indexed in | questions | article first | sentence within 5 s, \
by words | by words and meaning | the answer is spoken in it | it begins within 5 s of the answer |
|---|---|---|---|---|---|---|---|---|---|"""


def speaker(engine: Engine, number: int) -> Speaker:
    """Who reads an article: all combinations by turns."""
    turns, voice = divmod(number, len(engine.voices))
    ways = [*itertools.product(SPEEDS, ABOVE_NOISE)]
    return Speaker(engine, engine.voices[voice], *ways[(turns + voice) % len(ways)])


def line(
    person: Person,
    site: Site,
    engine: Engine,
    articles: Sequence[Article],
    questions: Sequence[Question],
) -> str:
    """A line of the table, for a copy that is empty so far."""
    recordings = [
        record(each.paragraphs, speaker(engine, each.number), each.number) for each in articles
    ]
    minutes = sum(each.seconds for each in recordings) / 60
    began = time.monotonic()
    evaluation = Evaluation(
        person, site, articles, lambda each: Page(recordings[each.number].wav, "audio/wav")
    )
    took = time.monotonic() - began
    found = answered(person, evaluation, recordings, questions)
    right = [sum(each) for each in zip(*found, strict=True)]
    shares = " | ".join(f"{100 * each / len(questions):.1f}%" for each in right)
    return (
        f"| {engine.name} | {len(recordings)} | {minutes:.0f} | {took:.0f} s | "
        f"{len(questions):,} | {shares} |"
    )


def answered(
    person: Person,
    evaluation: Evaluation,
    recordings: Sequence[Recording],
    questions: Sequence[Question],
) -> Iterator[tuple[bool, ...]]:
    """For each question whether the right article is first; whether its first sentence begins
    near the right one by words, and by words and meaning; whether the answer is spoken in that;
    and whether it begins near the answer."""
    for question in questions:
        results = evaluation.ask(question.text)
        if evaluation.first(results) != question.article:
            yield (False,) * 5
            continue
        spoken = recordings[question.article].sentence_at(question.paragraph, question.answer)
        second = spoken.second_of(question.answer)
        by_words, _ = seconds(results[0]["passages"][0])
        begin, end = seconds(by_its_meaning(person, question.text, results[0]))
        yield (
            True,
            abs(by_words - spoken.start) <= NEAR,
            abs(begin - spoken.start) <= NEAR,
            begin - ROUGHLY <= second <= end + ROUGHLY,
            abs(begin - second) <= NEAR,
        )


def pages(
    person: Person, site: Site, articles: Sequence[Article], questions: Sequence[Question]
) -> str:
    """The same questions of the articles as pages, for another copy that is empty so far: what is
    missed there is not missed because it is spoken."""
    evaluation = Evaluation(person, site, articles)
    first = by_words = by_meaning = 0
    for question in questions:
        results = evaluation.ask(question.text)
        if evaluation.first(results) == question.article:
            first += 1
            paragraph = articles[question.article].paragraphs[question.paragraph]
            by_words += holds(results[0]["passages"][0], paragraph, question.answer)
            meant = by_its_meaning(person, question.text, results[0])
            by_meaning += holds(meant, paragraph, question.answer)
    shares = [f"{100 * each / len(questions):.1f}%" for each in (first, by_words, by_meaning)]
    return (
        "As pages: the article first {}, the first sentence holds the answer {} by words, {} by "
        "words and meaning"
    ).format(*shares)


def holds(passage: Mapping[str, Any], paragraph: str, character: int) -> bool:
    """Whether the sentence of a passage is in the paragraph, and has this character of it."""
    sentence = passage["sentence"]["text"]
    start = paragraph.find(sentence)
    return 0 <= start <= character < start + len(sentence)


def seconds(passage: Mapping[str, Any]) -> tuple[float, float]:
    """When the sentence of a passage begins and ends."""
    place = passage["sentence"]["locator"]
    return float(place["start"]), float(place["end"])


def by_its_meaning(person: Person, query: str, result: Mapping[str, Any]) -> Mapping[str, Any]:
    """A result's first passage as the page shows it once the meaning was looked at."""
    key = f"{result['asset_id']}:{result['passages'][0]['position']}"
    answer = person.http.get("/search/sentences", params={"query": query, "passages": key})
    answer.raise_for_status()
    passage: Mapping[str, Any] = answer.json()["passages"][0]
    return passage
