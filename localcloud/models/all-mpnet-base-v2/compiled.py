"""Keeps the graph in 8-bit integers beside the weights, as OpenVINO has compiled it.

To quantize and to compile it takes two CPU seconds, to read it again a fifth of one. OpenVINO's own
cache (CACHE_DIR) would save the second half of that, and can be left damaged by a loss of power.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import graph
import int8
import numpy as np
import openvino as ov
from numpy.typing import NDArray

log = logging.getLogger(__name__)

DEVICE = "CPU"
# How the files' names begin. A digest of all that the file depends on follows.
PREFIX = "compiled-int8-"


class Compiled(NamedTuple):
    """A compiled graph, and the mapped file from which it reads its weights, if it was kept in one.
    The process crashes if the graph is used after that was freed."""

    model: ov.CompiledModel
    file: NDArray[np.uint8] | None


def compile_int8(folder: Path, options: Mapping[str, str]) -> Compiled:
    """The compiled graph in 8-bit integers of the weights in `folder`.

    It is kept in that folder, unless that cannot be written to.
    """
    path = folder / f"{PREFIX}{_digest(folder)}.blob"
    if kept := _read(path, options):
        return kept
    compiled = ov.Core().compile_model(graph.load(folder, in_int8=True), DEVICE, dict(options))
    with contextlib.suppress(OSError):
        _keep(compiled, path)
    return Compiled(compiled, None)


def _read(path: Path, options: Mapping[str, str]) -> Compiled | None:
    """The kept graph; None if there is none that can be used."""
    try:
        # The file is mapped, so that processes share its pages. OpenVINO takes no read-only array.
        content = np.memmap(path, dtype=np.uint8, mode="c")
    except (OSError, ValueError):  # there is none, or it is empty
        return None
    try:
        blob = ov.Tensor(content, shared_memory=True)
        return Compiled(ov.Core().import_model(blob, DEVICE, dict(options)), content)
    except RuntimeError:  # what OpenVINO raises for every fault
        log.warning("%s cannot be used and is made again", path, exc_info=True)
        return None


def _keep(compiled: ov.CompiledModel, path: Path) -> None:
    """Write the file whole or not at all, in place of all others. Raises OSError."""
    for other in path.parent.glob(f"{PREFIX}*"):
        other.unlink(missing_ok=True)
    partial = path.with_suffix(f".{os.getpid()}")
    with partial.open("wb") as file:
        file.write(compiled.export_model().getbuffer())
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def _digest(folder: Path) -> str:
    """A digest of what the compiled graph depends on: OpenVINO, the processor, code and weights."""
    core = ov.Core()
    digest = hashlib.sha256(ov.get_version().encode())
    for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES"):
        digest.update(f"{core.get_property(DEVICE, name)}\0".encode())
    for source in (graph.__file__, int8.__file__, int8.FILE):
        digest.update(Path(source).read_bytes())
    for weights in graph.files(folder):
        told = weights.stat()
        digest.update(f"{weights.name} {told.st_size} {told.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:20]
