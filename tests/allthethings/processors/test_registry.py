from __future__ import annotations

import pytest

from allthethings.processors import (
    PROCESSORS,
    get_asset_processor,
    kind_of,
    kinds,
    preload,
    processor_class,
    webhooks,
)
from allthethings.processors.audio import AudioProcessor
from allthethings.processors.html import HtmlProcessor
from tests.allthethings.processors.kinds import tools


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("audio/mpeg", AudioProcessor),
        ("audio/x-wav", AudioProcessor),
        ("application/ogg", AudioProcessor),
        ("text/html", HtmlProcessor),
        ("application/xhtml+xml", HtmlProcessor),
        ("image/png", None),
        ("video/mp4", None),
        ("text/html5", None),
        ("", None),
    ],
)
def test_the_content_type_decides(content_type: str, kind: type | None) -> None:
    processor = get_asset_processor(content_type, tools())
    assert (type(processor) if processor else None) is kind


def test_kinds_have_words() -> None:
    assert kinds() == [processor.kind for processor in PROCESSORS]
    assert kind_of("audio/mpeg") == "audio"


def test_a_kind_that_is_not_processed_any_more_is_still_shown() -> None:
    assert processor_class("image/png").kind == "other"
    assert processor_class("image/png").player is None


def test_each_webhook_is_named_once() -> None:
    assert webhooks()[0] == "audio"
    assert len(set(webhooks())) == len(webhooks())


def test_what_reads_documents_is_imported_beforehand() -> None:
    assert "trafilatura" in preload()
