"""From a query to things, each with its best passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from allthethings.assets import Asset, AssetStatus
from allthethings.documents import Document
from allthethings.errors import BadInput
from allthethings.generators import SyncEmbeddingsGenerator
from allthethings.mongo import Database

MAX_QUERY = 2_000
NEAREST = 100
"""Passages looked at; many of them may belong to one thing."""
SHOWN_PASSAGES = 3
SHOWN_THINGS = 20


@dataclass(frozen=True)
class Hit:
    """A passage that matches; `score` is vectorSearchScore, 1/(1 + squared distance), 0..1."""

    text: str
    score: float
    locator: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """A thing and its best passages, best first; its score is its best passage's."""

    asset: Asset
    passages: Sequence[Hit]

    @property
    def score(self) -> float:
        return self.passages[0].score


class Search:
    """Finds searchable things by meaning."""

    def __init__(self, database: Database, generator: SyncEmbeddingsGenerator) -> None:
        self._database = database
        self._generator = generator

    def search(self, query: str) -> list[Result]:
        """The nearest things, best first. Raises BadInput, ServiceUnavailable."""
        if len(query) > MAX_QUERY:
            raise BadInput(f"A query may have {MAX_QUERY:,} characters at the most.")
        vector = self._generator.generate(query)
        by_asset: dict[str, list[Hit]] = {}
        for row in self._database.passages.nearest(vector, NEAREST):
            by_asset.setdefault(str(row["asset_id"]), []).append(_hit(row))
        assets = self._database.assets.many(by_asset)
        return [
            Result(assets[asset_id], hits[:SHOWN_PASSAGES])
            for asset_id, hits in by_asset.items()
            if asset_id in assets and assets[asset_id].status is AssetStatus.SEARCHABLE
        ][:SHOWN_THINGS]


def _hit(row: Document) -> Hit:
    return Hit(row["text"], float(row["score"]), row["locator"])
