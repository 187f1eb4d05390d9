"""Videos, through Whisper on Replicate, which decodes their sound tracks."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar

from allthethings.assets.asset import Asset
from allthethings.assets.facts import Facts
from allthethings.processors.audio import AudioProcessor
from allthethings.processors.frames import frame_of
from allthethings.processors.processor import svg


class VideoProcessor(AudioProcessor):
    """A video: what is said in it, and when."""

    kind: ClassVar = "video"
    noun: ClassVar = "video"
    accepts: ClassVar = ("video/",)
    # Brands of ISO files; images (HEIC, AVIF) have others.
    signatures: ClassVar = {
        "video/quicktime": rb"....ftypqt  |....(?:moov|wide)",
        "video/mp4": rb"....ftyp(?:iso[m2-9]|mp4[12]|avc1|M4V|dash|MSNV|f4v|3g[p2]|cmf|mmp4)",
        "video/webm": rb"\x1aE\xdf\xa3.{4,60}webm",
        "video/x-matroska": rb"\x1aE\xdf\xa3.{4,60}matroska",
        "video/x-msvideo": rb"RIFF....AVI ",
        "video/x-flv": rb"FLV\x01",
        "video/x-ms-asf": rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11",
        "video/mpeg": rb"\x00\x00\x01\xba",
        "video/mp2t": rb"G(?:.{187}G){2}",
    }
    suffixes: ClassVar = {
        ".mp4": "video/mp4",
        ".m4v": "video/mp4",
        ".mov": "video/quicktime",
        ".webm": "video/webm",
        ".mkv": "video/x-matroska",
        ".avi": "video/x-msvideo",
        ".flv": "video/x-flv",
        ".wmv": "video/x-ms-asf",
        ".mpg": "video/mpeg",
        ".mpeg": "video/mpeg",
        ".ogv": "video/ogg",
        ".3gp": "video/3gpp",
    }
    player: ClassVar = "video"
    mark: ClassVar = svg("M2 3h12v10H2zM6.5 5.5v5L11 8z")
    preload: ClassVar[tuple[str, ...]] = (
        *AudioProcessor.preload,
        "allthethings.processors.frames",
        "PIL.Image",
    )

    def facts(self, asset: Asset) -> Facts:
        """What its tags tell, and a small picture of its first frame that shows something."""
        picture = frame_of(partial(self._tools.part, asset.url))
        return replace(super().facts(asset), picture=picture)
