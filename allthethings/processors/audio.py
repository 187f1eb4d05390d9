"""Recordings of speech, through Whisper on Replicate."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from allthethings.assets.asset import Asset
from allthethings.assets.facts import Facts
from allthethings.assets.locators import TimeSpan
from allthethings.assets.passages import Piece
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.model_processor import ModelProcessor
from allthethings.processors.processor import Content, Model, Words, svg
from allthethings.processors.tags import tags_of
from allthethings.replicate.predictions import parse_transcript

WHISPER_VERSION = "cdd97b257f93cb89dede1c7584e3f3dfc969571b357dbcee08e793740bedd854"


class AudioProcessor(ModelProcessor):
    """A recording: what is said in it, and when."""

    kind: ClassVar = "audio"
    # What one of them is called in sentences.
    noun: ClassVar = "recording"
    accepts: ClassVar[tuple[str, ...]] = ("audio/", "application/ogg")
    signatures: ClassVar = {
        "audio/mpeg": rb"ID3[\x02-\x04]|\xff[\xfa\xfb\xf2\xf3]",
        "audio/aac": rb"\xff[\xf1\xf9]",
        "audio/wav": rb"RIFF....WAVE",
        "audio/aiff": rb"FORM....AIF[FC]",
        "audio/flac": rb"fLaC",
        "audio/mp4": rb"....ftypM4[AB]",
        "application/ogg": rb"OggS",
    }
    suffixes: ClassVar = {
        ".mp3": "audio/mpeg",
        ".m4a": "audio/mp4",
        ".aac": "audio/aac",
        ".wav": "audio/wav",
        ".aif": "audio/aiff",
        ".aiff": "audio/aiff",
        ".flac": "audio/flac",
        ".oga": "audio/ogg",
        ".ogg": "audio/ogg",
        ".opus": "audio/ogg",
    }
    max_bytes: ClassVar = 2_000_000_000
    model: ClassVar = Model(WHISPER_VERSION, webhook="audio", url_input="audio")
    words: ClassVar = Words(
        submitted="Being sent to the model",
        running="Being transcribed",
        share="{:.0%} transcribed",
        text="Transcript",
    )
    player: ClassVar = "audio"
    mark: ClassVar = svg("M2 6.5v3M5 4v8M8 2v12M11 5v6M14 6.5v3")
    preload: ClassVar[tuple[str, ...]] = ("allthethings.processors.tags", "tinytag")

    def facts(self, asset: Asset) -> Facts:
        """What its tags tell."""
        return tags_of(partial(self._tools.part, asset.url))

    def request(self, url: str) -> dict[str, Any]:
        """What the tutorial asks of Whisper."""
        return {
            "audio": url,
            "language": "auto",
            "translate": False,
            "temperature": 0,
            "transcription": "plain text",
            "suppress_tokens": "-1",
            "logprob_threshold": -1,
            "no_speech_threshold": 0.6,
            "condition_on_previous_text": True,
            "compression_ratio_threshold": 2.4,
            "temperature_increment_on_fallback": 0.2,
        }

    def read(self, output: Any) -> Content:
        """Whisper's segments, or the whole text where it gives none."""
        transcript = parse_transcript(output)
        if not transcript.text:
            raise UnusableThing(f"No speech was heard in this {self.noun}.", ErrorCode.NO_SPEECH)
        spoken = [Piece(line.text, TimeSpan(line.start, line.end)) for line in transcript.segments]
        return Content(tuple(spoken) or (Piece(transcript.text),), transcript.text)
