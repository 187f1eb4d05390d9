"""The models, each in one server for all the tests that ask it; real weights."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from localcloud.weights import cache as weights
from tests.localcloud.models.cogserver import CogServer, running


@pytest.fixture(scope="session")
def mpnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    settings = {
        "MPNET_WEIGHTS": str(weights.ensure("all-mpnet-base-v2")),
        "EMBEDDING_PRECISION": "float32",
    }
    with running("all-mpnet-base-v2", tmp_path_factory.mktemp("mpnet"), settings) as server:
        yield server


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    settings = {"WHISPER_WEIGHTS": str(weights.ensure("whisper"))}
    with running("whisper", tmp_path_factory.mktemp("whisper"), settings) as server:
        yield server


@pytest.fixture(scope="session")
def ocr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CogServer]:
    with running("text-extract-ocr", tmp_path_factory.mktemp("ocr"), {}) as server:
        yield server
