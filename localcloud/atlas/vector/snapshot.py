"""What a vector store knows of its rows, in a file that loads in a fraction of a second.

Reading a million rows from the table and the matrix takes most of a minute. A snapshot is the
state after one commit, whose number the table keeps together with the rows that changed since. A
file of another number, or a damaged one, is not used: everything is then read anew.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from localcloud.atlas.vector.nearest import Floats


@dataclass(frozen=True)
class Snapshot:
    """One entry for each row of the matrix, and the distinct encoded filter values.

    `numbers` are positions in `fields`, 0 for a row that is not in use; `crcs` are the checksums
    of the vectors.
    """

    ids: Sequence[bytes | None]
    numbers: npt.NDArray[np.int32]
    crcs: npt.NDArray[np.uint32]
    lengths: Floats
    fields: Sequence[bytes]

    def save(self, directory: Path, stamp: int) -> None:
        """Write the file of that number durably."""
        path = _path(directory, stamp)
        ids, id_sizes = _packed([key or b"" for key in self.ids])
        fields, field_sizes = _packed(self.fields)
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            np.savez(
                file,
                numbers=self.numbers,
                crcs=self.crcs,
                lengths=self.lengths,
                ids=ids,
                id_sizes=id_sizes,
                fields=fields,
                field_sizes=field_sizes,
            )
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    @classmethod
    def load(cls, directory: Path, stamp: int) -> Snapshot | None:
        """The snapshot of that number; None if there is none that is sound."""
        try:
            with np.load(_path(directory, stamp)) as found:
                ids = _unpacked(found["ids"], found["id_sizes"])
                return cls(
                    [key or None for key in ids],
                    found["numbers"],
                    found["crcs"],
                    found["lengths"],
                    _unpacked(found["fields"], found["field_sizes"]),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None


def keep_only(directory: Path, stamp: int) -> None:
    """Delete the files of other numbers."""
    for path in directory.glob("rows-*"):
        if path != _path(directory, stamp):
            path.unlink()


def _path(directory: Path, stamp: int) -> Path:
    return directory / f"rows-{stamp}.npz"


def _packed(values: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """The values one after another, and the size of each."""
    sizes = np.array([len(value) for value in values], np.int64)
    return np.frombuffer(b"".join(values), np.uint8), sizes


def _unpacked(data: npt.NDArray[np.uint8], sizes: npt.NDArray[np.int64]) -> list[bytes]:
    """The reverse of `_packed`."""
    whole = data.tobytes()
    ends = accumulate(sizes.tolist(), initial=0)
    return [whole[start:end] for start, end in pairwise(ends)]
