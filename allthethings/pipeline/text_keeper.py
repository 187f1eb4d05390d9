"""A text is cut into passages and kept, and its vectors are asked for."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from allthethings.assets.asset import COMES_FROM, Asset, AssetStatus
from allthethings.assets.passages import CountTokens, Passage, Shape, cut
from allthethings.assets.transcripts import from_locators, pack
from allthethings.errors import ErrorCode, ServiceUnavailable, UnusableThing
from allthethings.mongo import Stores
from allthethings.pipeline.embedding_stage import EmbeddingStage
from allthethings.pipeline.failures import Failures
from allthethings.pipeline.list_entries import ListEntries
from allthethings.processors import Content, about, kind_of, language_of
from allthethings.store.documents import SERVICE
from allthethings.store.insertions import AlreadyIndexed
from allthethings.store.leases import new_lease

log = logging.getLogger(__name__)

S = AssetStatus
# Seconds of a cut after which the asset may not be waiting any more.
LONG_CUT = 1.0


@dataclass(frozen=True)
class Cutter:
    """Cuts texts into passages."""

    count_tokens: CountTokens
    shape: Shape

    def cut(self, content: Content) -> list[Passage]:
        """The passages of a thing's text. Raises UnusableThing."""
        content.require_storable()
        passages = cut(content.pieces, self.count_tokens, self.shape, content.title)
        if not passages:
            raise UnusableThing("It contains no text.", ErrorCode.NO_TEXT)
        return passages


class TextKeeper:
    """Takes assets from their content to PROCESSED. One serves any number of threads."""

    def __init__(
        self,
        database: Stores,
        cutter: Cutter,
        embeddings: EmbeddingStage,
        entries: ListEntries,
        failures: Failures,
    ) -> None:
        self._assets = database.assets
        self._transitions = database.transitions
        self._leases = database.leases
        self._passages = database.passages
        self._cutter = cutter
        self._embeddings = embeddings
        self._entries = entries
        self._failures = failures

    def keep(self, asset: Asset, content: Content, prediction_id: str | None = None) -> None:
        """Store the content, for which the asset has to be waiting, and ask for vectors. A text
        that cannot be stored fails the asset. `prediction_id` is what brought it. Raises
        ServiceUnavailable."""
        if not self.still_ours(asset):
            return
        try:
            began = time.monotonic()
            passages = self._cutter.cut(content)
            if time.monotonic() - began > LONG_CUT and not self.still_ours(asset):
                return
            processed = self._keep(asset, content, passages, prediction_id)
        except UnusableThing as error:
            self._failures.record(asset, error, prediction_id)
            return
        if processed is not None:
            log.info("asset %s processed, %d passages", asset.id, len(passages))
            self._embeddings.request_or_wait(processed)

    def _keep(
        self,
        asset: Asset,
        content: Content,
        passages: Sequence[Passage],
        prediction_id: str | None,
    ) -> Asset | None:
        """Store the text and its passages. Returns the asset, leased to the caller, if it is
        PROCESSED by this call. Raises UnusableThing for a text that is too long to be stored."""
        stored = self._put(asset, content, passages)
        if stored is None:
            return None
        if content.listing:
            self._entries.take(asset, content.listing)
        lease = new_lease()
        moved = self._transitions.move(
            asset.id,
            S.PROCESSED,
            same_try=asset,
            prediction_id=prediction_id,
            **stored,
            note={"passages": len(passages)},
            **lease,
        )
        if moved:
            begun = replace(asset, attempt=1, next_attempt_at=None, outage_since=None)
            return replace(begun, status=S.PROCESSED, **lease)
        now_is = self._assets.state(asset.id)
        if now_is is None:  # deleted in the meantime
            self._passages.delete(asset.id)
            if content.listing:
                self._entries.withdraw(asset.id)
        elif now_is.failed and content.listing:  # cancelled
            self._entries.pause(asset.id)
        return None

    def add(self, asset: Asset, key: str, content: Content, note: Mapping[str, Any]) -> None:
        """Insert an asset, under its own id and this key, whose content is known already. The
        worker asks for its vectors. `note` is for its history. When this is interrupted, it can
        be done again. Raises AlreadyIndexed, UnusableThing, ServiceUnavailable."""
        passages = self._cutter.cut(content)
        stored = self._put(asset, content, passages)
        if stored is None:
            raise ServiceUnavailable(SERVICE, "this thing is being deleted")
        kind = kind_of(asset.content_type)
        told = {"passages": len(passages), **note}
        try:
            self._transitions.insert_processed(asset, key, kind, stored, told)
        except (AlreadyIndexed, UnusableThing) as error:
            # Another worker may have added this very asset.
            same = isinstance(error, AlreadyIndexed) and error.asset.id == asset.id
            if not same:
                self._passages.delete(asset.id)
            raise

    def _put(
        self, asset: Asset, content: Content, passages: Sequence[Passage]
    ) -> dict[str, Any] | None:
        """Store the passages. Returns the fields of the text; None if the asset was started again
        since."""
        title = content.title or asset.title
        language = content.language or language_of(content.text) or asset.language
        description = about(replace(asset, language=language), title)
        if not self._passages.put(asset.id, description, passages, asset.tries or 0):
            return None
        return _fields(asset, content, title, language)

    def still_ours(self, asset: Asset) -> bool:
        """Whether the asset still waits for this text. Renews the lease where the caller holds
        it: a download, a parse and a cut may take most of a lease each."""
        if asset.lease_owner is not None:
            return self._leases.renew(asset)
        asset_now = self._assets.same_try(asset)
        return asset_now is not None and asset_now.status in COMES_FROM[S.PROCESSED]


def _fields(
    asset: Asset, content: Content, title: str | None, language: str | None
) -> dict[str, Any]:
    """What is stored of a text. What it does not tell stays as it was."""
    lines = from_locators((piece.text, piece.locator) for piece in content.pieces)
    return {
        "text": content.text,
        "title": title,
        "author": content.author or asset.author,
        "dated": content.dated or asset.dated,
        "language": language,
        "remark": content.remark,
        "draft": None,
        "segments": pack(content.text, lines),
        "version": (content.version or asset.version).stored(),
    }
