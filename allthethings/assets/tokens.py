"""How long a text is to the embedding model: its own tokenizer counts."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from tokenizers import Tokenizer

from allthethings.assets.passages import CountTokens
from allthethings.errors import ServiceUnavailable

# So many characters count as one word piece at least. A word of more than 100 letters or digits is
# one piece, and marks are none: without this, a passage of encoded data has no bound. In English a
# piece has 4 characters; in Thai, most of whose words the model does not know, up to 32.
MAX_CHARACTERS = 40


def load_counter(source: str) -> CountTokens:
    """Count with the tokenizer.json at this path, or of the model of this name on the hub.

    The counts are of word pieces, without the model's own marks at both ends, or of MAX_CHARACTERS
    characters where these are more.
    """
    tokenizer = _load(source)
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(texts: Sequence[str]) -> Sequence[int]:
        encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [
            max(len(pieces), ceil(len(text) / MAX_CHARACTERS))
            for text, pieces in zip(texts, encoded, strict=True)
        ]

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
