"""Whisper's inputs and outputs, at once, and with the end that the recording asks for.

The recording is a file that holds a JSON object, such as in its tags: `text` what is said in it, a
line for every five seconds, `at` the second at which that begins, `seconds` how long to work, `end`
one of `text`, `fail`, `null`, `wrong`, `wait` (until cancelled, a minute at most), `log` what to
print before that.
"""

import json
import time
from typing import Any

from cog import BaseRunner, Input, Path  # type: ignore[import-untyped]


class Predictor(BaseRunner):  # type: ignore[misc]
    def run(
        self,
        audio: Path = Input(description="What to say"),
        language: str = Input(default="auto"),
        translate: bool = Input(default=False),
        temperature: float = Input(default=0),
        transcription: str = Input(default="plain text"),
        suppress_tokens: str = Input(default="-1"),
        logprob_threshold: float = Input(default=-1.0),
        no_speech_threshold: float = Input(default=0.6),
        condition_on_previous_text: bool = Input(default=True),
        compression_ratio_threshold: float = Input(default=2.4),
        temperature_increment_on_fallback: float = Input(default=0.2),
    ) -> Any:
        recording = audio.read_bytes().decode("utf-8", "replace")
        told, _ = json.JSONDecoder().raw_decode(recording, recording.rindex('{"'))
        end = told.get("end", "text")
        if "log" in told:
            print(told["log"], flush=True)
        _work(60.0 if end == "wait" else told.get("seconds", 0.0))
        if end == "fail":
            raise ValueError("told to fail")
        if end == "null":
            return None
        if end == "wrong":
            return {"segments": "none", "words": [told["text"]]}
        parts = told["text"].split("\n")
        starts = [told.get("at", 0.0) + 5.0 * number for number in range(len(parts))]
        segments = [
            {"start": start, "end": start + 5.0, "text": f" {part}"}
            for start, part in zip(starts, parts, strict=True)
        ]
        return {
            "transcription": " ".join(parts),
            "segments": segments,
            "detected_language": "english",
            "translation": None,
        }


def _work(seconds: float) -> None:
    """In small steps: a cancellation is an exception between two of them."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.02)
