"""Whisper behind Cog's server: real recordings, odd ones, and files that are none."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.localcloud.models.cogserver import CogServer
from tools.harness.reference import MISSING, REFERENCE
from tools.harness.waiting import wait_for

SPEECH = REFERENCE / "data" / "speech"
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
RATE = 16_000


def words(text: str) -> list[str]:
    """The words as they are heard: without marks, titles spelled out."""
    plain = text.lower().replace("-", " ").replace("mr.", "mister")
    return re.sub(r"[^\w' ]", " ", plain).split()


def word_errors(expected: str, heard: str) -> float:
    """Insertions, deletions and substitutions, per expected word."""
    first, second = words(expected), words(heard)
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(second, 1):
            best = min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
            diagonal, row[j] = row[j], best
    return row[-1] / len(first)


def samples(path: Path) -> np.ndarray:
    """The recording as 16-bit samples of 16 kHz."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(path)) as container:
        frames = [one for frame in container.decode(audio=0) for one in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def write(path: Path, sound: np.ndarray, codec: str, layout: str = "mono") -> Path:
    """The samples in a file of the kind that the name ends in."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, layout=layout)
        assert isinstance(stream, av.AudioStream)
        planes = np.tile(sound.astype(np.int16), 2 if layout == "stereo" else 1)
        if layout == "stereo":
            planes = planes.reshape(2, -1).T.reshape(-1)
        frame = av.AudioFrame.from_ndarray(planes[None], format="s16", layout=layout)
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return path


@pytest.fixture(scope="module")
def recording() -> np.ndarray:
    return samples(EXAMPLES / "tea.mp3")


@pytest.mark.slow("transcribes five recordings; one example is transcribed without it")
@pytest.mark.skipif(not SPEECH.exists(), reason=MISSING)
def test_read_speech(whisper: CogServer) -> None:
    lines = re.findall(r"<s> (.*) </s> \((.*)\)", (SPEECH / "transcription.txt").read_text())
    heard = [whisper.output(audio=str(SPEECH / f"{name}.wav")) for _, name in lines]
    expected = " ".join(text for text, _ in lines)
    assert word_errors(expected, "".join(one["transcription"] for one in heard)) < 0.05
    assert {one["detected_language"] for one in heard} == {"english"}


def test_an_example_in_the_shape_of_the_real_model(whisper: CogServer) -> None:
    prediction = whisper.predict(
        audio=str(EXAMPLES / "tea.mp3"),
        model="large-v3",
        language="auto",
        translate=False,
        temperature=0,
        transcription="plain text",
        suppress_tokens="-1",
        logprob_threshold=-1,
        no_speech_threshold=0.6,
        condition_on_previous_text=True,
        compression_ratio_threshold=2.4,
        temperature_increment_on_fallback=0.2,
    )
    output = prediction["output"]
    assert set(output) == {
        "detected_language",
        "transcription",
        "segments",
        "translation",
        "txt_file",
        "srt_file",
    }
    assert output["translation"] is output["txt_file"] is output["srt_file"] is None
    assert output["detected_language"] == "english"
    expected = (EXAMPLES / "texts" / "tea.txt").read_text()
    assert word_errors(expected, output["transcription"]) < 0.15
    segments = output["segments"]
    assert "".join(one["text"] for one in segments) == output["transcription"]
    assert [one["id"] for one in segments] == list(range(len(segments)))
    assert all(0 <= one["start"] < one["end"] <= one["start"] + 21 for one in segments)
    assert all(a["end"] <= b["start"] + 0.5 for a, b in pairwise(segments))
    assert all(one["tokens"] for one in segments)
    numbers = {"seek", "temperature", "avg_logprob", "compression_ratio", "no_speech_prob"}
    assert set(segments[0]) == numbers | {"id", "start", "end", "text", "tokens"}
    sentences = re.findall(r"[.!?](?: |$)", output["transcription"])
    assert len(segments) >= len(sentences) - 1
    meters = re.findall(r"^ *(\d+)%\|.*\| (\d+)/(\d+) \[", prediction["logs"], re.MULTILINE)
    assert meters[0][:2] == ("0", "0")
    assert int(meters[-1][0]) > 80


@pytest.mark.parametrize(
    ("name", "codec", "layout"),
    [
        ("stereo.wav", "pcm_s16le", "stereo"),
        ("speech.flac", "flac", "mono"),
        ("stereo.ogg", "libopus", "stereo"),
        ("speech.m4a", "aac", "mono"),
    ],
)
def test_any_usual_kind_of_file(
    whisper: CogServer,
    recording: np.ndarray,
    tmp_path: Path,
    name: str,
    codec: str,
    layout: str,
) -> None:
    path = write(tmp_path / name, recording[: 5 * RATE], codec, layout)
    assert "centuries" in whisper.output(audio=str(path), language="en")["transcription"]


def test_the_sound_track_of_a_video(whisper: CogServer) -> None:
    output = whisper.output(audio=str(EXAMPLES / "eclipse.webm"), language="en")
    expected = (EXAMPLES / "texts" / "eclipse.txt").read_text()
    assert word_errors(expected, output["transcription"]) < 0.15
    assert 50 < output["segments"][-1]["end"] < 70


def test_a_video_without_sound_fails_in_words(whisper: CogServer, tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            picture = np.zeros((48, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    error = whisper.error(audio=str(path))
    assert error.endswith("This has no sound: there is no audio track in the file.")


@pytest.mark.parametrize(
    "seconds", [0.2, pytest.param(40.0, marks=pytest.mark.slow("listens to 40 s of silence"))]
)
def test_where_nobody_speaks_there_is_no_text(
    whisper: CogServer, tmp_path: Path, seconds: float
) -> None:
    time = np.arange(int(seconds * RATE)) / RATE
    hum = 3000 * np.sin(2 * np.pi * 220 * time) * np.exp(-2 * (time % 1))
    output = whisper.output(audio=str(write(tmp_path / "hum.wav", hum, "pcm_s16le")))
    assert output["transcription"] == ""
    assert output["segments"] == []


def test_subtitles_and_a_language_by_name(
    whisper: CogServer, recording: np.ndarray, tmp_path: Path
) -> None:
    path = write(tmp_path / "tea.flac", recording[: 5 * RATE], "flac")
    output = whisper.output(audio=str(path), transcription="srt", language="English")
    cue = r"1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\n.*centuries"
    assert re.match(cue, output["transcription"])


def test_times_count_the_silence_before(
    whisper: CogServer, recording: np.ndarray, tmp_path: Path
) -> None:
    quiet = np.zeros(45 * RATE, dtype=np.int16)
    path = write(tmp_path / "late.flac", np.concatenate([quiet, recording[: 5 * RATE]]), "flac")
    first = whisper.output(audio=str(path), language="en")["segments"][0]
    assert 44.0 <= first["start"] <= 46.5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is damaged, or not a recording of a known format."),
        (b"<!doctype html><p>Not found", "it is damaged, or not a recording of a known format."),
        # A playlist would make the decoder open what it names.
        (b"#EXTM3U\n#EXTINF:5,\nfile:///etc/hosts\n", "not a recording of a known format."),
        (b"ffconcat version 1.0\nfile /etc/hosts\n", "not a recording of a known format."),
    ],
)
def test_what_is_no_audio_fails_in_words(
    whisper: CogServer, tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "file.mp3"
    path.write_bytes(content)
    error = whisper.error(audio=str(path))
    assert "The file could not be decoded as audio: " in error
    assert reason in error


def test_inputs_that_cannot_be(whisper: CogServer) -> None:
    audio = str(EXAMPLES / "tea.mp3")
    assert "does not know Cantonese" in whisper.error(audio=audio, language="yue")
    assert "not a list of numbers" in whisper.error(audio=audio, suppress_tokens="a,b")
    assert "is not one of" in str(whisper.predict(audio=audio, language="Klingon")["detail"])


def test_a_cancelled_prediction_stops(
    whisper: CogServer, recording: np.ndarray, tmp_path: Path
) -> None:
    path = write(tmp_path / "long.flac", np.tile(recording, 12), "flac")
    wait_for(lambda: whisper.status() == "READY", "an idle model")
    url = "/predictions/to-be-cancelled"
    headers = {"Prefer": "respond-async"}
    body = {"input": {"audio": str(path), "language": "en"}}
    assert whisper.client.put(url, json=body, headers=headers).status_code == 202

    def stopped() -> bool:
        # Cog raises an exception in the thread of the prediction; one that comes at an unlucky
        # moment is lost, so ask again.
        whisper.client.post(f"{url}/cancel")
        return whisper.status() == "READY"

    wait_for(stopped, "the end of the prediction")
    assert whisper.output(audio=str(write(path, recording[: 5 * RATE], "flac")))["segments"]
