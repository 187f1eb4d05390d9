"""A model that is loaded in a thread, once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Model = TypeVar("Model")

log = logging.getLogger(__name__)


class Loading(Generic[Model]):
    """`make` makes the model; `otherwise` says in the log what is done if it fails.

    `model` is None until it is there, and where it cannot be made.
    """

    def __init__(self, make: Callable[[], Model], name: str, otherwise: str) -> None:
        self.model: Model | None = None
        self._make = make
        self._name = name
        self._otherwise = otherwise
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def start(self) -> threading.Thread:
        """Begin, unless it has begun. Returns the thread that makes the model."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            return self._thread

    def _run(self) -> None:
        try:
            self.model = self._make()
        except Exception:
            log.exception("the %s cannot be loaded; %s", self._name, self._otherwise)
