"""The input and the output of abiruyt/text-extract-ocr, at once.

The text is what stands after the last `text:` in the file, such as in the comment of a picture. A
picture without that is a page of black and white fields, as tools/harness/pdfs.py draws them: the
bytes of what is told, a bit a field. `fail` raises an error, `wait` lasts a minute at most.
"""

import io
import time

from cog import BaseRunner, Input, Path  # type: ignore[import-untyped]
from PIL import Image

# Fields of a row, rows of a page, and the bytes that they hold; the first is their number.
COLUMNS, ROWS = 16, 32
DAMAGED = "The picture could not be read: it is damaged."


class Predictor(BaseRunner):  # type: ignore[misc]
    def run(self, image: Path = Input(description="What is in it")) -> str:
        body = image.read_bytes()
        _, found, text = body.rpartition(b"text:")
        told = str(text.decode()) if found else in_fields(body)
        if told.startswith("fail"):
            raise ValueError(DAMAGED)
        end = time.monotonic() + (60.0 if told.startswith("wait") else 0.0)
        while time.monotonic() < end:  # a cancellation is an exception between two small steps
            time.sleep(0.02)
        return told


def in_fields(body: bytes) -> str:
    try:
        with Image.open(io.BytesIO(body)) as picture:
            fields = picture.convert("L").resize((COLUMNS, ROWS), Image.Resampling.BOX)
    except OSError as error:
        raise ValueError(DAMAGED) from error
    bits = "".join(str(int(value < 128)) for value in fields.tobytes())
    length, *rest = int(bits, 2).to_bytes(COLUMNS * ROWS // 8)
    return bytes(rest[:length]).decode("utf-8", "replace")
