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
from allthethings.processors.image import ImageProcessor
from allthethings.processors.video import VideoProcessor
from tests.allthethings.processors.kinds import tools


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("audio/mpeg", AudioProcessor),
        ("audio/x-wav", AudioProcessor),
        ("application/ogg", AudioProcessor),
        ("video/mp4", VideoProcessor),
        ("video/x-matroska", VideoProcessor),
        ("text/html", HtmlProcessor),
        ("application/xhtml+xml", HtmlProcessor),
        ("image/png", ImageProcessor),
        ("image/svg+xml", None),
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
    assert processor_class("model/gltf-binary").kind == "other"
    assert processor_class("model/gltf-binary").player is None


def test_each_webhook_is_named_once() -> None:
    assert webhooks()[0] == "audio"
    assert len(set(webhooks())) == len(webhooks())


def test_what_reads_documents_is_imported_beforehand() -> None:
    assert {"allthethings.processors.main_text", "docx", "pypdfium2"} <= {*preload()}
