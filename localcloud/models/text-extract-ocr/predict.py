"""Cog's entry point: the input and the output of abiruyt/text-extract-ocr on Replicate."""

import ctypes

from cog import BaseRunner, Input, Path
from pages import pages
from reader import Reader


class Predictor(BaseRunner):
    def setup(self) -> None:
        """Load nothing yet: a copy that gets no picture should not pay for the models."""
        self.reader = Reader()

    def run(self, image: Path = Input(description="Picture with text")) -> str:
        """The text in reading order: a line for each line of the picture, an empty line between
        paragraphs, and a form feed between the pages of a TIFF file."""
        try:
            return "\f".join(self.reader.text(page) for page in pages(image)).strip()
        finally:
            _trim()


def _trim() -> None:
    """Give free memory back, which glibc would keep: 300 MB and more after a large picture."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
