"""How long a text is to the embedding model: its own tokenizer counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from allthethings.assets.passages import CountTokens
from allthethings.errors import ServiceUnavailable


def load_counter(source: str) -> CountTokens:
    """Count with the tokenizer.json at this path, or of the model of this name on the hub.

    The counts are of word pieces, without the model's own marks at both ends.
    """
    tokenizer = _load(source)
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(texts: Sequence[str]) -> Sequence[int]:
        return [len(each) for each in tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    return count


def _load(source: str) -> Tokenizer:
    path = Path(source)
    if path.is_file():
        return Tokenizer.from_file(str(path))
    try:
        return Tokenizer.from_pretrained(source)
    except Exception as error:  # the library raises nothing narrower
        raise ServiceUnavailable(
            f"The tokenizer {source}",
            "set TOKENIZER to a tokenizer.json, or let the hub be reached",
        ) from error
