"""What every kind of thing has to keep to. A new kind is tested by being in PROCESSORS: it needs
an example in examples/, and for a model its output in outputs/."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import combinations
from typing import Any, cast

import pytest
from lxml import etree

from allthethings.assets import locators
from allthethings.assets.asset import Asset, AssetStatus
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors import PROCESSORS, Processor, get_asset_processor
from allthethings.processors.document_processor import DocumentProcessor
from allthethings.processors.model_processor import ModelProcessor
from allthethings.sources.fetch import Download
from allthethings.store.documents import now
from tests.allthethings.processors.kinds import arrivals_of, examples_of, recognised, tools

PLAYERS = {None, "audio", "video"}
SVG = "{http://www.w3.org/2000/svg}"
BROKEN_DOCUMENTS = [b"", b" \n\t ", b"\x00\xff\xfe", bytes(range(256)) * 40, b"\x00" * 5_000]
BROKEN_OUTPUTS: list[Any] = [None, "", [], {}, {"transcription": None}, {"text": ""}, 7]

every_kind = pytest.mark.parametrize("processor", PROCESSORS, ids=lambda each: each.kind)


def asset_of(content_type: str, content_length: int | None) -> Asset:
    at = now()
    return Asset(
        id="0" * 24,
        url="https://e.example/thing",
        status=AssetStatus.SUBMITTED,
        content_type=content_type,
        content_length=content_length,
        created_at=at,
        updated_at=at,
    )


def types_of(processor: type[Processor]) -> list[str]:
    """Content types that it accepts, one for each family."""
    return [f"{each}x" if each.endswith("/") else each for each in processor.accepts]


# -- how it is described


@every_kind
def test_it_is_of_one_of_two_shapes(processor: type[Processor]) -> None:
    assert issubclass(processor, ModelProcessor) != issubclass(processor, DocumentProcessor)
    assert (processor.model is not None) == issubclass(processor, ModelProcessor)


@every_kind
def test_its_name_fits_a_query_and_no_other_kind(processor: type[Processor]) -> None:
    assert re.fullmatch(r"[a-z]+( [a-z]+)*", processor.kind)
    names = [word for other in PROCESSORS if other is not processor for word in other.kind.split()]
    assert not set(names) & set(processor.kind.split())


@every_kind
def test_it_accepts_content_types_as_the_probe_writes_them(processor: type[Processor]) -> None:
    assert processor.accepts
    for accepted in processor.accepts:
        assert re.fullmatch(r"[a-z]+/[a-z0-9.+-]*", accepted)


@pytest.mark.parametrize(("one", "other"), list(combinations(PROCESSORS, 2)))
def test_no_content_type_is_of_two_kinds(one: type[Processor], other: type[Processor]) -> None:
    for first, second in ((a, b) for a in one.accepts for b in other.accepts):
        assert first != second
        assert not (first.endswith("/") and second.startswith(first))
        assert not (second.endswith("/") and first.startswith(second))


@every_kind
def test_its_content_types_lead_to_it(processor: type[Processor]) -> None:
    for content_type in types_of(processor):
        assert type(get_asset_processor(content_type, tools())) is processor


@every_kind
def test_it_has_words_for_people(processor: type[Processor]) -> None:
    words = processor.words
    for sentence in (words.submitted, words.running, words.text):
        assert re.fullmatch(r"[A-Z][^.]{2,40}", sentence)
    assert "50%" in words.share.format(0.5)
    assert list(processor.steps) == sorted(processor.steps)
    assert all(0 <= step < 99 for step in processor.steps)


@every_kind
def test_its_mark_is_a_drawing_and_nothing_else(processor: type[Processor]) -> None:
    mark = etree.fromstring(processor.mark.replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" '))
    assert {element.tag for element in mark.iter()} <= {f"{SVG}svg", f"{SVG}path"}
    assert mark.get("aria-hidden") == "true"
    names = {name for element in mark.iter() for name in element.attrib}
    assert names <= {"class", "viewBox", "aria-hidden", "d"}


@every_kind
def test_its_player_is_an_element_that_plays(processor: type[Processor]) -> None:
    assert processor.player in PLAYERS


@every_kind
def test_the_name_of_its_webhook_fits_paths_and_settings(processor: type[Processor]) -> None:
    if processor.model:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", processor.model.webhook)
        assert processor.model.webhook not in ("embedding", "embeddings")


# -- how it is recognised


@every_kind
def test_the_first_bytes_of_its_examples_are_recognised(processor: type[Processor]) -> None:
    assert examples_of(processor), "it needs an example in examples/"
    for example in examples_of(processor):
        content_type = recognised(example)
        assert type(get_asset_processor(content_type, tools())) is processor


@every_kind
def test_what_it_recognises_it_accepts(processor: type[Processor]) -> None:
    for content_type in [*processor.signatures, *processor.suffixes.values()]:
        assert type(get_asset_processor(content_type, tools())) is processor


@every_kind
def test_it_is_recognised_by_bytes_or_is_a_text_known_by_its_name(
    processor: type[Processor],
) -> None:
    assert processor.signatures or processor.is_text
    assert all(re.fullmatch(r"\.[a-z0-9]+", suffix) for suffix in processor.suffixes)


@pytest.mark.parametrize(("one", "other"), list(combinations(PROCESSORS, 2)))
def test_no_name_is_of_two_kinds(one: type[Processor], other: type[Processor]) -> None:
    assert not set(one.suffixes) & set(other.suffixes)


@every_kind
@pytest.mark.parametrize(
    "first", [b"", b"\x7fELF\x02\x01\x01", b"PK\x03\x04\x14\x00", b"\x00" * 1024, b"MZ\x90\x00"]
)
def test_it_recognises_nothing_else(processor: type[Processor], first: bytes) -> None:
    assert processor.sniff(first) is None


@every_kind
def test_a_wrong_content_type_is_named(processor: type[Processor]) -> None:
    if issubclass(processor, DocumentProcessor):
        told = types_of(processor)[0]
        picture = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 99
        with pytest.raises(
            UnusableThing, match=f"calls this {re.escape(told)}, but it is image/png"
        ) as caught:
            processor(tools()).read(Download("https://e.example/x", picture, None, told))
        assert caught.value.code is ErrorCode.MISLABELLED


# -- how it is read


@every_kind
def test_its_examples_become_text_with_places(processor: type[Processor]) -> None:
    for arrived in arrivals_of(processor):
        content = processor(tools()).read(arrived)
        assert content.pieces
        assert all(piece.text.strip() for piece in content.pieces)
        assert all(piece.text.split()[0] in content.text for piece in content.pieces)
        places = [piece.locator for piece in content.pieces]
        assert any(place.label for place in places)
        assert [locators.read(place.stored()) for place in places] == places


@every_kind
def test_what_is_broken_is_said_in_words(processor: type[Processor]) -> None:
    broken = BROKEN_OUTPUTS
    if issubclass(processor, DocumentProcessor):
        broken = [Download("https://e.example/x", body, None) for body in BROKEN_DOCUMENTS]
    for arrived in broken:
        with pytest.raises(UnusableThing, match=r"^[A-Z][^\n]{10,80}\.$"):
            processor(tools()).read(arrived)


@every_kind
def test_its_limit_holds(processor: type[Processor]) -> None:
    """A document is downloaded no further, and no model is asked for what is larger."""
    if issubclass(processor, DocumentProcessor):
        asked: list[int] = []

        def download(url: str, max_bytes: int) -> Download:
            asked.append(max_bytes)
            return Download(url, b"", None)

        made = processor(replace(tools(), download=download))
        with pytest.raises(UnusableThing):
            made.process(asset_of(types_of(processor)[0], None))
        assert asked == [processor.max_bytes]
        assert 100_000 <= processor.max_bytes <= 64 * 1024 * 1024
    elif processor.max_bytes is not None:
        made_model = cast(type[ModelProcessor], processor)(tools())
        with pytest.raises(UnusableThing, match="larger than"):
            made_model.process(asset_of(types_of(processor)[0], processor.max_bytes + 1))
