from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.locators import Heading, Page, Sheet, TimeSpan
from allthethings.assets.passages import MODEL_LIMIT, Passage, Piece, Shape, cut


def words(texts: Sequence[str]) -> list[int]:
    """A tokenizer for these tests: a word of more than eight letters takes several pieces."""
    return [sum(-(-len(word) // 8) for word in text.split()) for text in texts]


def sentence(number: int, length: int = 12) -> str:
    return "S" + " ".join(f"w{number}x{index}" for index in range(length)) + "."


def test_nothing_gives_nothing() -> None:
    assert cut([], words) == []
    assert cut([Piece("  \n ")], words) == []


def test_a_short_text_is_one_passage() -> None:
    [passage] = cut([Piece("One thing. Another thing.", Heading("Things"))], words)
    assert (passage.position, passage.text) == (0, "One thing. Another thing.")
    assert passage.locator == Heading("Things")


def test_passages_end_with_sentences_and_lose_nothing() -> None:
    sentences = [sentence(number) for number in range(100)]
    passages = cut([Piece(" ".join(sentences))], words)
    assert len(passages) > 3
    assert " ".join(passage.text for passage in passages) == " ".join(sentences)
    assert all(passage.text.endswith(".") for passage in passages)
    assert all(words([passage.text])[0] <= Shape().size + 12 for passage in passages)
    assert [passage.position for passage in passages] == list(range(len(passages)))


def test_a_paragraph_of_its_own_length_is_a_passage_of_its_own() -> None:
    paragraphs = [Piece(" ".join(sentence(n * 10 + i) for i in range(8))) for n in range(3)]
    assert [passage.text for passage in cut(paragraphs, words)] == [
        paragraph.text for paragraph in paragraphs
    ]


def test_short_paragraphs_share_a_passage() -> None:
    assert len(cut([Piece(sentence(number, 5)) for number in range(4)], words)) == 1


def test_a_heading_starts_a_new_passage() -> None:
    pieces = [Piece(sentence(n, 60), Heading(f"H{n}")) for n in range(2)]
    assert [passage.locator.label for passage in cut(pieces, words)] == ["H0", "H1"]


def test_spoken_segments_keep_their_first_start_and_last_end() -> None:
    segments = [
        Piece(sentence(number, 20), TimeSpan(number * 10.0, number * 10.0 + 9))
        for number in range(30)
    ]
    spans = [passage.locator.stored() for passage in cut(segments, words)]
    assert spans[0]["start"] == 0.0
    assert spans[-1]["end"] == 299.0
    for before, after in pairwise(spans):
        assert before["end"] == after["start"] - 1


def test_a_passage_may_go_on_to_the_next_page() -> None:
    pieces = [Piece(sentence(n, 40), Page(n + 1)) for n in range(2)]
    assert [passage.locator for passage in cut(pieces, words)] == [Page(1)]


@pytest.mark.parametrize("place", [Heading, Sheet])
def test_a_passage_does_not_reach_into_another_place(place: type[Heading] | type[Sheet]) -> None:
    pieces = [Piece(sentence(n, 60), place(f"{n}")) for n in range(2)]
    assert [passage.locator for passage in cut(pieces, words)] == [place("0"), place("1")]


def test_a_sentence_longer_than_the_model_reads_is_cut_between_words() -> None:
    text = " ".join(f"word{index}" for index in range(1000))
    passages = cut([Piece(text)], words)
    assert " ".join(passage.text for passage in passages) == text
    assert all(words([passage.text])[0] <= MODEL_LIMIT for passage in passages)


def test_a_long_text_without_punctuation_is_cut_between_words() -> None:
    written = [f"w{index}" for index in range(4_000)]
    passages = cut([Piece(" ".join(written))], words)
    assert [word for passage in passages for word in passage.text.split()] == written


def test_nothing_is_put_between_what_stood_together() -> None:
    text = "It worked in the end.[7] Then they left:121 and came back.B was there. So it was."
    [passage] = cut([Piece(text)], words)
    assert passage.text == text


@given(
    st.lists(
        st.text(st.characters(categories=["L", "N", "P", "Z", "So"]), max_size=6000), max_size=4
    )
)
def test_every_text_fits_and_every_word_stays(texts: list[str]) -> None:
    passages = cut([Piece(text) for text in texts], words)
    assert all(words([passage.text])[0] <= MODEL_LIMIT for passage in passages)
    written = "".join("".join(passage.text.split()) for passage in passages)
    assert written == "".join("".join(text.split()) for text in texts)


def read(passage: Passage) -> str:
    """What the model reads."""
    return f"{passage.before} {passage.text}".strip()


def test_the_title_stands_in_front_of_every_passage() -> None:
    pieces = [Piece(" ".join(sentence(number) for number in range(100)))]
    passages = cut(pieces, words, Shape(title=True), "Herons and their nests.")
    assert {passage.before for passage in passages} == {"Herons and their nests."}
    assert not any("Herons" in passage.text for passage in passages)
    plain = cut(pieces, words, Shape(title=False), "Herons and their nests.")
    assert {passage.before for passage in plain} == {""}


def test_a_title_as_long_as_a_text_is_left_out() -> None:
    title = " ".join(["title"] * 60)
    assert cut([Piece("Words.")], words, Shape(title=True), title)[0].before == ""


def test_the_sentences_before_a_passage_are_read_with_it() -> None:
    sentences = [sentence(number) for number in range(100)]
    passages = cut([Piece(" ".join(sentences))], words, Shape(overlap=2))
    assert passages[0].before == ""
    for last, passage in pairwise(passages):
        assert passage.before
        assert last.text.endswith(passage.before)
        assert passage.before.count(".") == 2
    assert " ".join(passage.text for passage in passages) == " ".join(sentences)


@given(st.integers(1, 600), st.integers(0, 60), st.integers(0, 60), st.integers(1, 382))
def test_the_model_reads_all_of_it_whatever_the_shape(
    length: int, overlap: int, title: int, size: int
) -> None:
    text = " ".join(sentence(number, 1 + number % 40) for number in range(length // 10 + 1))
    shape = Shape(size, overlap, title=True)
    passages = cut([Piece(text)], words, shape, " ".join(["title"] * title))
    assert " ".join(passage.text for passage in passages) == text
    assert all(words([read(passage)])[0] <= MODEL_LIMIT for passage in passages)


@pytest.mark.parametrize("blank", ["", " ", "\n\n"])
def test_blank_pieces_leave_no_trace(blank: str) -> None:
    assert len(cut([Piece(blank), Piece("Words."), Piece(blank)], words)) == 1


@pytest.mark.parametrize("sentence", ["漢字。", "Short. ", "no end "])
def test_a_piece_of_half_a_million_letters_is_cut(sentence: str) -> None:
    """It would take half an hour, and nothing else would run, were it segmented as a whole."""
    text = (sentence * (500_000 // len(sentence))).strip()
    passages = cut([Piece(text)], words)
    assert "".join(passage.text for passage in passages).replace(" ", "") == text.replace(" ", "")
    assert max(words([passage.text])[0] for passage in passages) <= MODEL_LIMIT
