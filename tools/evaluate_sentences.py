"""How often the sentence that is marked holds the answer; a part of `make eval`.

    python -m tools.evaluate_sentences [--data xquad.en.json]

For each question of XQuAD the app's own parts choose a sentence of the paragraph that has the
answer: the first one, by words alone, and by words and meaning with the model in this process.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from allthethings.assets.tokens import load_counter
from allthethings.search.answers import Answers
from allthethings.search.local_model import LocalModel
from allthethings.search.query_vectors import QueryVectors
from allthethings.search.sentences import Reading, asked
from config import QUERY_MODEL
from localcloud.weights.cache import ensure
from tools.harness.xquad import DATA, Article, Question, read

HEADER = """\
| sentences of a paragraph | the first | by words | by words and meaning |
|---|---|---|---|"""


def line(articles: Sequence[Article], questions: Sequence[Question], answers: Answers) -> str:
    """A line of the table: the share of the questions whose answer is in the chosen sentence."""
    first = by_words = by_meaning = sentences = 0
    for question in questions:
        paragraph = articles[question.article].paragraphs[question.paragraph]
        reading = Reading(paragraph, asked(question.text))
        number = next(
            number
            for number, span in enumerate(reading.sentences)
            if span.start <= question.answer < span.end
        )
        [best] = answers.best(question.text, [reading])
        sentences += len(reading.sentences)
        first += number == 0
        by_words += number == (reading.best or 0)
        by_meaning += number == best
    total = len(questions)
    shares = [f"{count / total:.1%}" for count in (first, by_words, by_meaning)]
    return f"| {' | '.join([f'{sentences / total:.1f}', *shares])} |"


def answers_here() -> Answers:
    """The choice as the app makes it, once its model is loaded."""
    weights = ensure("all-mpnet-base-v2")
    model = LocalModel(QUERY_MODEL, weights, _nobody)
    model.load().join()
    counter = load_counter(os.environ.get("TOKENIZER") or str(weights / "tokenizer.json"))
    return Answers(QueryVectors(model.embed, counter), model.embed_aside)


def _nobody(texts: Sequence[str]) -> Sequence[Sequence[float]]:
    raise RuntimeError(f"the model in this process did not embed {len(texts)} texts")


def report(path: Path) -> Iterator[str]:
    """The lines of the table."""
    articles, questions = read(path)
    yield f"The sentence that answers {len(questions)} questions, given its paragraph"
    yield HEADER
    yield line(articles, questions, answers_here())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    for each in report(parser.parse_args().data):
        print(each, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
