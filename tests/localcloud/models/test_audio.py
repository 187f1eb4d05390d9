from __future__ import annotations

import pytest

from tests.localcloud.models.cogserver import MODELS
from tests.localcloud.models.modules import load

EXAMPLE = MODELS.parents[1] / "examples" / "tea.mp3"
SECOND = 1 / 3600

audio = load("whisper", "audio")


def test_a_recording_is_decoded_whole() -> None:
    samples = audio.decode(EXAMPLE)
    assert 20 * audio.SAMPLE_RATE < len(samples) < 90 * audio.SAMPLE_RATE
    assert abs(samples).max() <= 1.0


def test_one_that_is_too_long_is_refused_in_words() -> None:
    """Before all of it is in memory: a small file can hold weeks of silence."""
    whole = len(audio.decode(EXAMPLE)) / audio.SAMPLE_RATE
    assert len(audio.decode(EXAMPLE, (whole + 1) * SECOND)) == whole * audio.SAMPLE_RATE
    with pytest.raises(audio.AudioError, match=r"it is longer than 0\.\d+ hours\."):
        audio.decode(EXAMPLE, (whole - 1) * SECOND)
