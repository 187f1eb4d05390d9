"""Questions are mistyped as people mistype, and the same at every run."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from tools.evaluate import chosen
from tools.evaluate_typed import (
    Words,
    languages,
    lower_case,
    mistyped,
    others,
    ways,
    without_accents,
)
from tools.harness.xquad import Article, read

QUESTION = "Where did Käthe Kollwitz's brother study chemistry in 1891?"


def distance(one: str, other: str) -> int:
    """How many letters have to be put in, taken out, changed or swapped with the next."""
    rows: list[list[int]] = [[*range(len(other) + 1)]]
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, wanted in enumerate(other, 1):
            least = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                least = min(least, rows[-2][j - 2] + 1)
            row.append(least)
        rows.append(row)
    return rows[-1][-1]


@pytest.mark.parametrize("mistakes", [1, 3])
def test_each_mistake_is_in_one_letter_of_a_long_word(mistakes: int) -> None:
    for number in range(50):
        question = f"{QUESTION} {number}"
        typed = mistyped(question, mistakes)
        assert 0 < distance(question, typed) <= mistakes
        assert typed == mistyped(question, mistakes)
        changed = {*question.split()} - {*typed.split()}
        assert len(changed) <= mistakes
        assert all(len(word) >= 5 for word in changed)


def test_a_text_without_long_words_stays() -> None:
    assert mistyped("Who is it?", 3) == "Who is it?"


def test_case_and_accents() -> None:
    assert lower_case("Who is Käthe?") == "who is käthe"
    assert without_accents(QUESTION) == QUESTION.replace("ä", "a")


def test_the_rarest_word_is_one_that_is_there() -> None:
    articles = [Article(0, ["The heron stands still."]), Article(1, ["The heron and the kite."])]
    words = Words(articles)
    assert words.rarest("Is the heron a kite or a dodo?") == "kite"
    assert words.rarest("Nobody knows dodos?") is None


def written(folder: Path, language: str, question: str) -> Path:
    """A file with two articles of one paragraph, of which two questions are asked."""
    answers = [{"text": "heron", "answer_start": 5}]
    asked = [{"question": f"{question} {n}?", "answers": answers} for n in range(2)]
    article = {"paragraphs": [{"context": "The  heron stands still.", "qas": asked}]}
    path = folder / f"xquad.{language}.json"
    path.write_text(json.dumps({"data": [article, article]}))
    return path


def test_a_part_of_the_articles_and_of_the_questions(tmp_path: Path) -> None:
    data = written(tmp_path, "en", "Who stands")

    def numbers(articles: int | None, every: int) -> tuple[int, list[int]]:
        given = Namespace(data=data, articles=articles, every=every)
        some, questions = chosen(given)
        return len(some), [each.number for each in questions]

    assert numbers(None, 1) == (2, [0, 1, 2, 3])
    assert numbers(1, 1) == (1, [0, 1])
    assert numbers(None, 3) == (2, [0, 3])


def test_each_way_types_the_same_questions(tmp_path: Path) -> None:
    """Also in the languages whose files are beside the data."""
    data = written(tmp_path, "en", "Who stands")
    written(tmp_path, "de", "Wer steht")
    articles, questions = read(data)
    assert [each.answer for each in questions] == [4, 4, 4, 4]
    made = ways(articles) | languages(others(data))
    typed = {name: way(questions[1]) for name, way in made.items()}
    assert typed["as it is"] == "Who stands 1?"
    assert typed["in lower case"] == "who stands 1"
    assert typed["IN CAPITALS"] == "WHO STANDS 1?"
    assert typed["without accents"] is None
    assert typed["its rarest word alone"] == "stands"
    assert typed["the whole paragraph"] == "The heron stands still."
    assert typed["in another language (de)"] == "Wer steht 1?"
