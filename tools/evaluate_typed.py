"""How well the search bears how people type; a part of `make eval`.

    python -m tools.evaluate --typed [--articles 5] [--data xquad.en.json]
    python -m tools.evaluate --languages [--articles 5] [--data xquad.en.json]

Each question of XQuAD is asked in several ways, over the articles in English. Questions in another
language are those of xquad.<language>.json beside the data, where such files are; `--languages`
asks those alone.
"""

from __future__ import annotations

import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tools.harness.xquad import Article, Evaluation, Question, best_passages

HEADER = """\
| typed | questions | article first | paragraph in 5 |
|---|---|---|---|"""
# The letters beside each letter on a keyboard.
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
# The fewest letters of a word that is mistyped.
LONG = 5
WORD = re.compile(r"[^\W\d_]+")

# A question as it is typed; None where it cannot be typed so.
Typed = Callable[[Question], str | None]


def lower_case(text: str) -> str:
    """Without capitals and without the mark at the end."""
    return text.lower().rstrip("?!. ")


def without_accents(text: str) -> str:
    """Letters without their marks, `é` as `e`."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(each for each in parts if not unicodedata.combining(each))


def mistyped(text: str, mistakes: int) -> str:
    """With so many long words mistyped, in one letter each: left out, doubled, swapped with the
    next, or a key beside it. The same at every call; fewer where fewer words are long."""
    draw = random.Random(text)  # noqa: S311
    words = [each for each in WORD.finditer(text) if len(each[0]) >= LONG]
    chosen = draw.sample(words, min(mistakes, len(words)))
    for word in sorted(chosen, key=lambda each: -each.start()):
        text = text[: word.start()] + _mistake(word[0], draw) + text[word.end() :]
    return text


def _mistake(word: str, draw: random.Random) -> str:
    at = draw.randrange(1, len(word) - 1)
    before, letter, after = word[:at], word[at], word[at + 1 :]
    ways = [
        before + after,
        before + letter * 2 + after,
        before + after[0] + letter + after[1:],
        before + _beside(letter, draw) + after,
    ]
    return draw.choice([each for each in ways if each != word])


def _beside(letter: str, draw: random.Random) -> str:
    """A letter that is beside this one on a keyboard; the letter itself where it has no key."""
    row = next((each for each in ROWS if letter.lower() in each), None)
    if row is None:
        return letter
    at = row.index(letter.lower())
    return draw.choice(row[max(0, at - 1) : at] + row[at + 1 : at + 2])


class Words:
    """How many articles have each word."""

    def __init__(self, articles: Sequence[Article]) -> None:
        self._articles = Counter(
            word for each in articles for word in {*WORD.findall(each.text.lower())}
        )

    def rarest(self, text: str) -> str | None:
        """The word of a text that fewest articles have, of those that any has."""
        known = [each for each in WORD.findall(text.lower()) if each in self._articles]
        return min(known, key=lambda each: (self._articles[each], -len(each)), default=None)


def others(data: Path) -> Mapping[str, Sequence[str]]:
    """The questions in other languages, by language, in the order of those in English."""
    found = {}
    for path in sorted(data.parent.glob("xquad.*.json")):
        language = path.name.split(".")[1]
        if language != "en":
            found[language] = [
                asked["question"]
                for entry in json.loads(path.read_text("utf-8"))["data"]
                for each in entry["paragraphs"]
                for asked in each["qas"]
            ]
    return found


def ways(articles: Sequence[Article]) -> dict[str, Typed]:
    """The ways to type a question in English, by what the table calls them."""
    words = Words(articles)
    return {
        "as it is": lambda asked: asked.text,
        "in lower case": lambda asked: lower_case(asked.text),
        "IN CAPITALS": lambda asked: asked.text.upper(),
        "without accents": lambda asked: (
            plain if (plain := without_accents(asked.text)) != asked.text else None
        ),
        "one word mistyped": lambda asked: mistyped(asked.text, 1),
        "three words mistyped": lambda asked: mistyped(asked.text, 3),
        "its rarest word alone": lambda asked: words.rarest(asked.text),
        "the whole paragraph": lambda asked: articles[asked.article].paragraphs[asked.paragraph],
    }


def languages(translated: Mapping[str, Sequence[str]]) -> dict[str, Typed]:
    """The same in other languages. `translated` has the questions by language, by their numbers."""

    def way(questions: Sequence[str]) -> Typed:
        return lambda asked: questions[asked.number]

    return {f"in another language ({each})": way(of) for each, of in translated.items()}


def report(
    evaluation: Evaluation, made: Mapping[str, Typed], questions: Sequence[Question]
) -> Iterator[str]:
    """A line for each way. A paragraph is asked once, however many questions it has."""
    yield HEADER
    for name, typed in made.items():
        asked = {text: each for each in questions if (text := typed(each)) is not None}
        if not asked:
            yield f"| {name} | 0 | | |"
            continue
        first = in_five = 0
        for text, question in asked.items():
            results = evaluation.ask(text)
            first += evaluation.first(results) == question.article
            in_five += any(evaluation.holding(question, best_passages(results)[:5]))
        shares = " | ".join(f"{100 * each / len(asked):.1f}%" for each in (first, in_five))
        yield f"| {name} | {len(asked):,} | {shares} |"
