"""What changed within passages, by word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from allthethings.assets.diffs import Did, Part
from allthethings.assets.diffs import compare as compare_passages
from allthethings.assets.edits import COMPARED, CONTEXT, MAX_STEPS, Edit, compare, edited

OLD = "The lamp of the tower burned oil until 1901. A keeper trimmed its wick each night."
NEW = "The lamp of the tower burned petroleum until 1903. A keeper trimmed its wick each night."


def pieces(old: str, new: str) -> list[tuple[str, str]]:
    edit = compare(old, new)
    assert edit is not None
    return [(piece.did.value, piece.text) for piece in edit.pieces]


def test_the_changed_words_are_told_from_the_others() -> None:
    assert pieces(OLD, NEW) == [
        ("kept", "The lamp of the tower burned "),
        ("removed", "oil "),
        ("added", "petroleum "),
        ("kept", "until "),
        ("removed", "1901. "),
        ("added", "1903. "),
        ("kept", "A keeper trimmed its wick each night."),
    ]


def test_far_from_a_change_words_are_left_out() -> None:
    many = " ".join(f"word{number}" for number in range(100))
    first, _, last = pieces(f"{many} red {many}", f"{many} {many}")
    assert first[1].split() == ["…", *many.split()[-CONTEXT:]]
    assert last[1].split() == [*many.split()[:CONTEXT], "…"]
    _, middle, _ = pieces(f"red {many}", f"{many} blue")
    assert middle[1].split() == [*many.split()[:CONTEXT], "…", *many.split()[-CONTEXT:]]


def test_in_scripts_without_spaces_each_character_is_a_word() -> None:
    assert pieces("東京は日本の首都です。", "京都は日本の首都でした。")[-1] == ("kept", "。")


def test_what_has_little_in_common_was_not_edited() -> None:
    assert compare(OLD, "Bees dance in the dark of the hive.") is None
    assert compare("", "") is None
    assert compare(" ".join(["word"] * 1_000), " ".join(["word"] * 1_000)) is None


def test_a_removed_and_an_added_passage_that_are_alike_are_one() -> None:
    other = Part(Did.ADDED, "Something else came in between.")
    gone = Part(Did.REMOVED, "This one went.")
    kept = Part(Did.KEPT, count=3)
    parts = [kept, Part(Did.REMOVED, OLD), gone, other, Part(Did.ADDED, NEW), kept]
    edit = compare(OLD, NEW)
    assert edited(parts) == [kept, other, edit, gone, kept]


def test_no_more_than_a_few_are_compared() -> None:
    others = [Part(Did.ADDED, f"Number {number}.") for number in range(COMPARED)]
    parts = [Part(Did.REMOVED, OLD), *others, Part(Did.ADDED, NEW)]
    assert edited(parts) == parts


def test_passages_that_repeat_a_word_are_compared_up_to_a_bound() -> None:
    """Each pair of these takes the cube of its words."""
    old, new = (" ".join(f"a {name}{number}" for number in range(200)) for name in "bc")
    hostile = [Part(Did.REMOVED, old), Part(Did.ADDED, new), Part(Did.KEPT)]
    found = edited([*hostile * 10, Part(Did.REMOVED, OLD), Part(Did.ADDED, NEW)])
    assert sum(isinstance(part, Edit) for part in found[:-1]) == MAX_STEPS // (200 * 200 * 400)
    assert found[-1] == compare(OLD, NEW)


def test_passages_that_something_kept_divides_are_not_paired() -> None:
    parts = [Part(Did.REMOVED, OLD), Part(Did.KEPT), Part(Did.ADDED, NEW)]
    assert edited(parts) == parts


texts = st.lists(st.sampled_from(["a b c d", "a b c e", "x y", "a", "東京", ""]), max_size=8)


@given(texts, texts)
def test_nothing_is_lost(old: list[str], new: list[str]) -> None:
    parts = compare_passages(old, new).parts
    found = edited(parts)
    for did, other in ((Did.REMOVED, Did.ADDED), (Did.ADDED, Did.REMOVED)):
        wanted = [part.text for part in parts if part.did is did]
        shown = [
            "".join(piece.text for piece in part.pieces if piece.did is not other).split()
            if isinstance(part, Edit)
            else part.text.split()
            for part in found
            if isinstance(part, Edit) or part.did is did
        ]
        assert sorted(shown) == sorted(text.split() for text in wanted)
