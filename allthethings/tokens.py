"""How long a text is to the embedding model: its own tokenizer counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from allthethings.passages import CountTokens


def load_counter(source: str) -> CountTokens:
    """Count with the tokenizer.json at this path, or of the model of this name on the hub.

    The counts are of word pieces, without the model's own marks at both ends.
    """
    path = Path(source)
    tokenizer = (
        Tokenizer.from_file(str(path)) if path.is_file() else Tokenizer.from_pretrained(source)
    )
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(texts: Sequence[str]) -> Sequence[int]:
        return [len(each) for each in tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    return count
