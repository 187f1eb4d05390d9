"""How long texts are to a tokenizer like the embedding model's."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

from allthethings.assets.passages import MODEL_LIMIT, CountTokens, Piece, cut
from allthethings.assets.tokens import MAX_CHARACTERS, load_counter

VOCABULARY = ("[UNK]", "tele", "##phone", "a", ".")


@pytest.fixture
def count_tokens(tmp_path: Path) -> CountTokens:
    numbers = {piece: number for number, piece in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    return load_counter(str(tmp_path / "tokenizer.json"))


def test_word_pieces_are_counted(count_tokens: CountTokens) -> None:
    assert count_tokens(["a telephone.", "telephone " * 30, "unknown", ""]) == [4, 60, 1, 0]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("0123456789abcdef" * 5_000, id="one-word"),
        pytest.param(f"{'0123456789abcdef' * 8} " * 1_000, id="long-words"),
        pytest.param("\u0301" * 50_000, id="marks"),
    ],
)
def test_a_passage_of_data_has_a_bound(count_tokens: CountTokens, text: str) -> None:
    passages = cut([Piece(text)], count_tokens)
    assert "".join("".join(each.text for each in passages).split()) == "".join(text.split())
    assert max(len(each.text) for each in passages) <= MODEL_LIMIT * MAX_CHARACTERS
