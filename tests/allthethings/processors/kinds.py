"""What the tests of processors work with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from allthethings.assets.asset import Asset
from allthethings.errors import UnusableThing
from allthethings.processors import Processor, Tools, recognise, webhooks
from allthethings.replicate.client import ReplicateClient
from allthethings.sources.fetch import SNIFFED, Download, Part

OUTPUTS = Path(__file__).parent / "outputs"
EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
LISTED: list[dict[str, Any]] = json.loads((EXAMPLES / "examples.json").read_text("utf-8"))


def refuse(url: str, max_bytes: int) -> Download:
    raise UnusableThing(f"these tests download nothing, not even {max_bytes} bytes of {url}")


def refuse_part(url: str, start: int, count: int) -> Part:
    raise UnusableThing(f"these tests download nothing, not even {start}+{count} of {url}")


def keep_nothing(archive: Asset, document: Download) -> None:
    """These tests need no members."""


def lend(asset: Asset) -> str:
    return asset.url


def forget(asset: Asset) -> None:
    """Nothing is kept either."""


def tools() -> Tools:
    """For processors that only read; nothing answers at these addresses."""
    urls = {webhook: f"http://127.0.0.1:9/e/{webhook}" for webhook in webhooks()}
    replicate = ReplicateClient("token", "http://127.0.0.1:9")
    return Tools(replicate, refuse, refuse_part, urls, keep_nothing, lend, forget)


def examples_of(processor: type[Processor]) -> list[Path]:
    """The files of the home page's examples of this kind."""
    return [EXAMPLES / each["file"] for each in LISTED if each["kind"] == processor.kind]


def arrivals_of(processor: type[Processor]) -> list[Any]:
    """What `read` gets for good things of this kind: the output of a model, or a Download."""
    if processor.model:
        output = (OUTPUTS / f"{processor.model.webhook}.json").read_text("utf-8")
        return [json.loads(output)]
    return [
        Download(f"https://e.example/{file.name}", file.read_bytes(), None, recognised(file))
        for file in examples_of(processor)
    ]


def recognised(file: Path) -> str:
    """The content type of a file whose server does not know it."""
    first = file.read_bytes()[:SNIFFED]
    return recognise("application/octet-stream", [file.name], lambda: first)
