"""The rows of a table in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

# A cell that is no name of a column.
NUMBER = re.compile(r"[-+]?[\d.,:/ -]+%?")


def in_words(rows: Iterable[Sequence[str]]) -> Iterator[tuple[int, str]]:
    """Each row that is not empty with its number, counted from 1: `name: value; name: value`, or
    its values alone where the first row has no names of columns."""
    names: Sequence[str] = ()
    for number, row in enumerate(rows, 1):
        cells = [" ".join(cell.split()) for cell in row]
        if number == 1 and _are_names(cells):
            names = cells
        told = [
            f"{name}: {cell}" if name and number > 1 else cell
            for name, cell in zip_longest(names[: len(cells)], cells, fillvalue="")
            if cell
        ]
        if told:
            yield number, "; ".join(told)


def _are_names(cells: Sequence[str]) -> bool:
    """Whether these are the names of columns: each another word, and none a number."""
    return (
        len(cells) > 1
        and len(set(cells)) == len(cells)
        and all(cell and not NUMBER.fullmatch(cell) for cell in cells)
    )
