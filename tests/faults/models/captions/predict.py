"""The input and the output of salesforce/blip, at once.

The caption is what stands between `shows:` and `text:` in the file. Without it, the model fails.
"""

from cog import BaseRunner, Input, Path  # type: ignore[import-untyped]


class Predictor(BaseRunner):  # type: ignore[misc]
    def run(self, image: Path = Input(description="What it shows")) -> str:
        _, found, rest = image.read_bytes().partition(b"shows:")
        if not found:
            raise ValueError("told to fail")
        return f"Caption: {rest.partition(b'text:')[0].decode()}"
