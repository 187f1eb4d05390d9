"""Things that a model on Replicate turns into text."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from allthethings.assets.asset import Asset
from allthethings.errors import ErrorCode, UnusableThing
from allthethings.processors.processor import Model, Processor, Requested, Words
from allthethings.replicate.predictions import Prediction
from allthethings.replicate.records import request_in


class ModelProcessor(Processor):
    """A kind that a model on Replicate turns into text. Subclasses say what to ask of it, and
    read its output."""

    model: ClassVar[Model]
    words: ClassVar[Words] = Words(
        submitted="Being sent to the model",
        running="The model is working on it",
        share="{:.0%} done",
    )
    steps: ClassVar[tuple[int, int, int, int]] = (2, 5, 60, 64)

    @abstractmethod
    def request(self, url: str) -> dict[str, Any]:
        """The model's input for the thing at this URL."""

    def process(self, asset: Asset) -> Requested:
        """Ask the model. Raises UnusableThing for a thing that its server says is too large."""
        if self.max_bytes is not None and (asset.content_length or 0) > self.max_bytes:
            raise UnusableThing(
                f"This is larger than {self.max_bytes / 1_000_000:,.0f} MB.", ErrorCode.TOO_LARGE
            )
        return self._ask(asset, self.model.version, self.request(self._tools.lend(asset)))

    def _ask(self, asset: Asset, version: str, request: dict[str, Any]) -> Requested:
        webhook = f"{self._tools.webhook_urls[self.model.webhook]}/{asset.id}"
        prediction = self._tools.replicate.create(version, request, webhook)
        asked = {"version": version, "input": request}
        return Requested(prediction.id, {**asked, **request_in(prediction.told)})

    def asked_for(self, asset: Asset, prediction: Prediction) -> bool:
        """Whether it is one of this model with the asset's URL as its input."""
        of_this_model = prediction.version == self.model.version
        return of_this_model and prediction.input.get(self.model.url_input) == asset.url_for_model

    def find(self, asset: Asset) -> Requested | None:
        """The prediction with the asset's URL among those that Replicate lists."""
        found = self._tools.replicate.find(
            self.model.version,
            asset.updated_at,
            lambda values: values.get(self.model.url_input) == asset.url_for_model,
            asset.replaced_process_ids,
        )
        return Requested(found.id, request_in(found.told)) if found else None
