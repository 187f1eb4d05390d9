"""Articles are read aloud, and it is known which second has which sentence."""

from __future__ import annotations

import io
import wave
from argparse import Namespace
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tools.evaluate import missing
from tools.evaluate_speech import HEADER, pages, report, speaker
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import running_site
from tools.harness.speech import PAUSE, RATE, Speaker, is_here, record
from tools.harness.xquad import Article, Question

PARAGRAPHS = [
    "The heron stands still in shallow water for hours. It eats fish, frogs and insects.",
    "The lighthouse of the northern harbour was built in 1821. Its lamp is seen for thirty miles.",
]
READER = Speaker("en-gb", 160, 40.0)
needs_a_voice = pytest.mark.skipif(not is_here(), reason="espeak-ng is not installed")


@pytest.fixture
def person(real_copy: Cloud) -> Iterator[Person]:
    person = Person(real_copy)
    yield person
    person.http.close()


def loudness(samples: np.ndarray, start: float, end: float) -> float:
    """How loud the sound is between two seconds."""
    part = samples[round(start * RATE) : round(end * RATE)]
    return float(np.sqrt(np.mean(np.square(part))))


@needs_a_voice
def test_sentences_are_heard_where_they_are_said_to_be() -> None:
    recording = record(PARAGRAPHS, READER, 1)
    with wave.open(io.BytesIO(recording.wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
    spoken = recording.sentences
    assert [(each.paragraph, each.span.start) for each in spoken] == [
        (0, 0),
        (0, 51),
        (1, 0),
        (1, 58),
    ]
    assert spoken[-1].end == recording.seconds
    for one, other in pairwise(spoken):
        assert other.start - one.end >= PAUSE - 1 / RATE
        noise = loudness(samples, one.end, other.start)
        assert loudness(samples, one.start, one.end) > 20 * noise > 0


@needs_a_voice
def test_a_sentence_is_found_by_its_characters() -> None:
    recording = record(PARAGRAPHS, READER, 1)
    answer = PARAGRAPHS[1].index("thirty")
    sentence = recording.sentence_at(1, answer)
    assert sentence == recording.sentences[3]
    assert sentence.start < sentence.second_of(answer) < sentence.end
    assert recording.sentence_at(0, 50) == recording.sentences[1]


@needs_a_voice
def test_the_noise_is_as_loud_as_the_speaker_has_it() -> None:
    def noise(above: float) -> float:
        recording = record(PARAGRAPHS[:1], Speaker("en-gb", 160, above), 1)
        with wave.open(io.BytesIO(recording.wav)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)
        return loudness(samples, recording.sentences[0].end, recording.sentences[1].start)

    assert noise(20.0) == pytest.approx(noise(40.0) * 10, rel=0.1)


def test_no_two_neighbours_are_read_alike() -> None:
    speakers = [speaker(number) for number in range(30)]
    assert len({*speakers}) == 30


def test_without_the_program_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    data = tmp_path / "xquad.en.json"
    data.touch()
    assert "apt-get install espeak-ng" in missing(Namespace(data=data, speech=True))
    assert missing(Namespace(data=data, speech=False)) == ""


@needs_a_voice
def test_the_real_pipeline_hears_the_answer(person: Person) -> None:
    """Each question leads to the recording that answers it, and to the second."""
    articles = [Article(number, [paragraph]) for number, paragraph in enumerate(PARAGRAPHS)]
    asked = [
        ("What does the heron eat?", 0, "fish"),
        ("For how many miles can the lamp of the lighthouse be seen?", 1, "thirty"),
    ]
    questions = [
        Question(text, article, 0, PARAGRAPHS[article].index(answer))
        for text, article, answer in asked
    ]
    with running_site() as site:
        told, header, line = report(person, site, articles, questions)
    assert "minutes of speech" in told
    assert header == HEADER
    cells = [each.strip() for each in line.strip("|").split("|")]
    assert cells[0] == "2"
    assert cells[2:5] == ["2", "100.0%", "100.0%"]


def test_the_same_articles_as_pages_are_judged_by_the_sentence(person: Person) -> None:
    articles = [Article(number, [paragraph]) for number, paragraph in enumerate(PARAGRAPHS)]
    questions = [
        Question("What does the heron eat?", 0, 0, PARAGRAPHS[0].index("fish")),
        # Another sentence than that answers this.
        Question("What does the heron eat?", 0, 0, 0),
    ]
    with running_site() as site:
        told = pages(person, site, articles, questions)
    assert told == (
        "As pages: the article first 100.0%, the first sentence holds the answer 50.0% by words, "
        "50.0% by words and meaning"
    )
