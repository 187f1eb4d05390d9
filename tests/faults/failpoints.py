"""Places in the app's work where it can be made to die, as by kill -9 at that very moment.

A file with the point's name in the folder FAILPOINTS arms it; the app that comes there takes
the file away and kills its whole process group.
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from allthethings.assets.asset import AssetStatus
from allthethings.generators import EMBEDDING_VERSION
from allthethings.pipeline.embedding_stage import EmbeddingStage
from allthethings.pipeline.text_stage import TextStage
from allthethings.processors.audio import WHISPER_VERSION
from allthethings.replicate.client import ReplicateClient
from allthethings.store.passages import PassageStore
from allthethings.store.transitions import Transitions

FOLDER = "FAILPOINTS"

Method = Callable[..., Any]
Which = Callable[..., bool]


def arm(folder: Path, point: str) -> None:
    """Have the app die at the point, once."""
    (folder / point).touch()


def is_armed(folder: Path, point: str) -> bool:
    """False once the app has come there."""
    return (folder / point).exists()


def install() -> None:
    """Put the points into the app of this process."""
    for point, put_in in POINTS.items():
        put_in(point)


def _reached(point: str) -> None:
    try:
        (Path(os.environ[FOLDER]) / point).unlink()
    except FileNotFoundError:  # not armed, or another thread was first
        return
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _armed(point: str) -> bool:
    return is_armed(Path(os.environ[FOLDER]), point)


def _wrap(owner: type, name: str, around: Callable[..., Any]) -> None:
    """Replace the method by `around(method, *its arguments)`."""
    method = getattr(owner, name)

    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return around(method, *args, **kwargs)

    setattr(owner, name, wrapper)


def _always(*_args: Any, **_kwargs: Any) -> bool:
    return True


def _before(point: str, owner: type, name: str, which: Which = _always) -> None:
    def around(method: Method, *args: Any, **kwargs: Any) -> Any:
        if which(*args, **kwargs):
            _reached(point)
        return method(*args, **kwargs)

    _wrap(owner, name, around)


def _after(point: str, owner: type, name: str, which: Which = _always) -> None:
    def around(method: Method, *args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        if which(*args, **kwargs):
            _reached(point)
        return result

    _wrap(owner, name, around)


def _moves_to(status: AssetStatus) -> Which:
    return lambda _store, _asset_id, to, *_args, **_kwargs: to is status


def _asks(version: str) -> Which:
    return lambda _client, asked, *_args, **_kwargs: asked == version


def _half_of(point: str, name: str, position: int) -> None:
    """Die when half of the sequence that is the method's argument `position` is written."""

    def around(method: Method, *args: Any, **kwargs: Any) -> Any:
        given = args[position]
        if _armed(point) and len(given) > 1:
            half = given[: len(given) // 2]
            method(*args[:position], half, *args[position + 1 :], **kwargs)
            _reached(point)
        return method(*args, **kwargs)

    _wrap(PassageStore, name, around)


class _HalfCollection:
    """Notes a request at the first half of its passages, and then comes to the point."""

    def __init__(self, collection: Any, point: str) -> None:
        self._collection = collection
        self._point = point

    def update_many(self, where: dict[str, Any], change: dict[str, Any]) -> None:
        span = where["position"]
        middle = (span["$gte"] + span["$lte"]) // 2
        self._collection.update_many(where | {"position": {**span, "$lte": middle}}, change)
        _reached(self._point)


def _half_noted(point: str) -> None:
    def around(method: Method, store: PassageStore, *args: Any) -> Any:
        if _armed(point):
            half: Any = _HalfCollection(store.collection, point)
            method(PassageStore(half), *args)
        return method(store, *args)

    _wrap(PassageStore, "requested", around)


def _acknowledged(point: str, stage: type) -> None:
    """When the work of a callback is done, and its answer not yet sent."""
    _after(point, stage, "record")


S = AssetStatus
# Where the app can be made to die, and how each point is put in.
POINTS: dict[str, Callable[[str], None]] = {
    "after the insert": lambda point: _after(point, Transitions, "insert"),
    "before a prediction is recorded": lambda point: _after(
        point, ReplicateClient, "create", _asks(WHISPER_VERSION)
    ),
    "half of the passages written": lambda point: _half_of(point, "put", 3),
    "before the text's commit": lambda point: _before(
        point, Transitions, "move", _moves_to(S.PROCESSED)
    ),
    "after the text's commit": lambda point: _after(
        point, Transitions, "move", _moves_to(S.PROCESSED)
    ),
    "before a request for vectors is recorded": lambda point: _after(
        point, ReplicateClient, "create", _asks(EMBEDDING_VERSION)
    ),
    "half of a request for vectors recorded": _half_noted,
    "before the text is acknowledged": lambda point: _acknowledged(point, TextStage),
    "half of the vectors written": lambda point: _half_of(point, "embed", 3),
    "before the last commit": lambda point: _before(
        point, Transitions, "move", _moves_to(S.SEARCHABLE)
    ),
    "before vectors are acknowledged": lambda point: _acknowledged(point, EmbeddingStage),
}
