"""The video of a subtitle file: people name it, and the times of its lines lead there."""

from __future__ import annotations

from allthethings.assets.urls import clean_url
from allthethings.errors import BadInput
from allthethings.processors import processor_class


def video_of(text: str, content_type: str) -> str | None:
    """The URL of the video that people name for a thing of this type; None where they name none.
    Raises BadInput."""
    if not text.strip():
        return None
    processor = processor_class(content_type)
    if not processor.of_video:
        raise BadInput(f"This is of the kind {processor.kind}. Only subtitles have a video.")
    try:
        return clean_url(text)
    except BadInput as error:
        raise BadInput(f"The address of the video is wrong. {error}") from error
