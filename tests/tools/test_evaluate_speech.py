"""Articles are read aloud, and it is known which second has which sentence."""

from __future__ import annotations

import io
import wave
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tools.evaluate import missing
from tools.evaluate_speech import ABOVE_NOISE, HEADER, SPEEDS, line, pages, speaker
from tools.harness.cloud import Cloud
from tools.harness.person import Person
from tools.harness.site import running_site
from tools.harness.speech import ENGINES, PAUSE, Engine, Speaker, ascii_letters, record
from tools.harness.xquad import Article, Question

PARAGRAPHS = [
    "The heron stands still in shallow water for hours. It eats fish, frogs and insects.",
    "The lighthouse of the northern harbour was built in 1821. Its lamp is seen for thirty miles.",
]
ESPEAK = ENGINES[0]
needs_a_voice = pytest.mark.skipif(not ESPEAK.is_here, reason="espeak-ng is not installed")


@pytest.fixture(params=ENGINES, ids=[each.name for each in ENGINES])
def reader(request: pytest.FixtureRequest) -> Speaker:
    """Each engine's first voice, almost without noise."""
    engine: Engine = request.param
    if not engine.is_here:
        pytest.skip(f"{engine.name} is not installed")
    return Speaker(engine, engine.voices[0], 160, 40.0)


@pytest.fixture
def person(real_copy: Cloud) -> Iterator[Person]:
    person = Person(real_copy)
    yield person
    person.http.close()


def samples_of(wav: bytes, rate: int) -> np.ndarray:
    """The samples of a file with so many a second."""
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, rate)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32)


def loudness(samples: np.ndarray, rate: int, start: float, end: float) -> float:
    """How loud the sound is between two seconds."""
    part = samples[round(start * rate) : round(end * rate)]
    return float(np.sqrt(np.mean(np.square(part))))


def test_sentences_are_heard_where_they_are_said_to_be(reader: Speaker) -> None:
    recording = record(PARAGRAPHS, reader, 1)
    rate = reader.engine.rate
    samples = samples_of(recording.wav, rate)
    spoken = recording.sentences
    assert [(each.paragraph, each.span.start) for each in spoken] == [
        (0, 0),
        (0, 51),
        (1, 0),
        (1, 58),
    ]
    assert spoken[-1].end == recording.seconds
    for one, other in pairwise(spoken):
        assert other.start - one.end >= PAUSE - 1 / rate
        noise = loudness(samples, rate, one.end, other.start)
        assert loudness(samples, rate, one.start, one.end) > 20 * noise > 0


def test_a_slow_speaker_takes_longer(reader: Speaker) -> None:
    slow, fast = (
        record(PARAGRAPHS, replace(reader, speed=speed), 1).seconds for speed in (120, 240)
    )
    assert slow > 1.5 * fast


def test_a_sentence_is_found_by_its_characters(reader: Speaker) -> None:
    recording = record(PARAGRAPHS, reader, 1)
    answer = PARAGRAPHS[1].index("thirty")
    sentence = recording.sentence_at(1, answer)
    assert sentence == recording.sentences[3]
    assert sentence.start < sentence.second_of(answer) < sentence.end
    assert recording.sentence_at(0, 50) == recording.sentences[1]


def test_the_noise_is_as_loud_as_the_speaker_has_it(reader: Speaker) -> None:
    def noise(above: float) -> float:
        recording = record(PARAGRAPHS[:1], replace(reader, above_noise=above), 1)
        samples = samples_of(recording.wav, reader.engine.rate)
        first, second, *_ = recording.sentences
        return loudness(samples, reader.engine.rate, first.end, second.start)

    assert noise(20.0) == pytest.approx(noise(40.0) * 10, rel=0.1)


@pytest.mark.parametrize("engine", ENGINES, ids=[each.name for each in ENGINES])
def test_all_combinations_read_before_one_reads_again(engine: Engine) -> None:
    every = len(engine.voices) * len(SPEEDS) * len(ABOVE_NOISE)
    assert len({speaker(engine, number) for number in range(every)}) == every


def test_what_an_engine_cannot_read_is_left_out() -> None:
    assert ascii_letters("Käthe – 北京") == "Kathe ,  "


@pytest.mark.parametrize(
    ("engine", "packages"),
    [(None, "espeak-ng flite"), ("flite", "flite"), ("espeak-ng", "espeak-ng")],
)
def test_without_the_programs_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str | None, packages: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    data = tmp_path / "xquad.en.json"
    data.touch()
    told = missing(Namespace(data=data, speech=True, engine=engine))
    assert told.endswith(f"apt-get install {packages}")
    assert missing(Namespace(data=data, speech=False, engine=None)) == ""


@needs_a_voice
def test_the_real_pipeline_hears_the_answer(person: Person) -> None:
    """Each question leads to the recording that answers it, and to the second."""
    articles = [Article(number, [paragraph]) for number, paragraph in enumerate(PARAGRAPHS)]
    asked = [
        ("What does the heron eat?", 0, "fish"),
        ("For how many miles is it seen?", 1, "thirty"),
    ]
    questions = [
        Question(text, article, 0, PARAGRAPHS[article].index(answer))
        for text, article, answer in asked
    ]
    with running_site() as site:
        row = line(person, site, ESPEAK, articles, questions)
    cells = [each.strip() for each in row.strip("|").split("|")]
    assert len(cells) == HEADER.splitlines()[0].count("|") - 1
    assert cells[:2] == ["espeak-ng", "2"]
    assert cells[4:7] == ["2", "100.0%", "100.0%"]
    assert cells[8] == "100.0%"


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
