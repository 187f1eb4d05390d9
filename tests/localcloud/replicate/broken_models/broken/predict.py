"""A model for tests that never gets ready."""

from cog import BaseRunner  # type: ignore[import-untyped]


class Predictor(BaseRunner):  # type: ignore[misc]
    def setup(self) -> None:
        raise RuntimeError("no weights here")

    def run(self) -> str:
        return ""
