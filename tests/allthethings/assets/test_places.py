"""Where the parts of a passage stand."""

from __future__ import annotations

from allthethings.assets import places
from allthethings.assets.locators import WHOLE, Heading, Locator, Page, Rows, TimeSpan
from allthethings.assets.passages import Passage, Piece, cut
from allthethings.assets.places import MAX_SECONDS, Place, breaks, locate, sections, shortened
from allthethings.assets.sentences import Span, spans
from tests.allthethings.assets.test_passages import words


def located(passage: Passage) -> list[Locator]:
    """The place of each sentence of a passage."""
    text, length = passage.text, len(passage.text)
    return [locate(span, length, passage.places, passage.locator) for span in spans(text) if text]


def test_a_sentence_of_a_recording_has_the_times_of_its_segment() -> None:
    segments = [
        Piece("A lamp stood on a tower.", TimeSpan(0.0, 4.5)),
        Piece("Then came the lens.", TimeSpan(6.25, 9.0)),
        Piece("It turned.", TimeSpan(9.0, 10.5)),
    ]
    [passage] = cut(segments, words)
    assert located(passage) == [TimeSpan(0.0, 4.5), TimeSpan(6.25, 9.0), TimeSpan(9.0, 10.5)]


def test_a_sentence_that_begins_within_a_segment_begins_at_its_share_of_the_characters() -> None:
    [passage] = cut([Piece("Ten chars. Ten chars.", TimeSpan(10.0, 20.0))], words)
    first, second = located(passage)
    assert first == TimeSpan(10.0, 15.0)
    assert second == TimeSpan(15.0, 20.0)


def test_a_sentence_over_two_segments_goes_on_to_the_end_of_the_second() -> None:
    segments = [Piece("A lamp on", TimeSpan(0.0, 2.0)), Piece("a tower.", TimeSpan(3.0, 5.0))]
    [passage] = cut(segments, words)
    assert located(passage) == [TimeSpan(0.0, 5.0)]


def test_the_second_passage_of_a_long_segment_does_not_begin_with_it() -> None:
    sentences = [f"S{number} " + "w " * 50 + "end." for number in range(10)]
    passages = cut([Piece(" ".join(sentences), TimeSpan(0.0, 100.0))], words)
    assert len(passages) > 1
    begun = [place.start for each in passages for place in located(each)]  # type: ignore[attr-defined]
    assert begun == sorted(set(begun))
    assert len(begun) == 10
    assert abs(begun[5] - 50.0) < 1.0


def test_a_sentence_is_on_its_own_page() -> None:
    pieces = [Piece("First page.", Page(3)), Piece("Second page.", Page(4))]
    [passage] = cut(pieces, words)
    assert passage.locator == Page(3)
    assert located(passage) == [Page(3), Page(4)]


def test_rows_of_a_sentence() -> None:
    pieces = [Piece(f"Row {number}.", Rows(number, number)) for number in range(1, 4)]
    [passage] = cut(pieces, words)
    assert passage.locator == Rows(1, 3)
    assert located(passage) == [Rows(1, 1), Rows(2, 2), Rows(3, 3)]


SHORT = [
    Piece("Open from nine to five", Heading("Hours")),
    Piece("Adults pay ten crowns. Children pay four.", Heading("Prices")),
    Piece("Dogs stay outside.", Heading("Prices")),
    Piece("Ask at the gate.", WHOLE),
]
PRICES = "Adults pay ten crowns. Children pay four. Dogs stay outside."


def test_short_sections_in_one_passage_keep_their_headings() -> None:
    [passage] = cut(SHORT, words)
    assert passage.text == f"Open from nine to five {PRICES} Ask at the gate."
    assert list(sections(passage.text, passage.places, passage.locator)) == [
        ("Open from nine to five", Heading("Hours")),
        (PRICES, Heading("Prices")),
        ("Ask at the gate.", WHOLE),
    ]


def test_a_sentence_ends_where_its_section_does() -> None:
    [passage] = cut(SHORT, words)
    found = spans(passage.text, breaks=breaks(passage.places))
    assert [span.of(passage.text) for span in found[:2]] == [
        "Open from nine to five",
        "Adults pay ten crowns.",
    ]
    assert located(passage)[0] == Heading("Hours")
    assert [
        locate(span, len(passage.text), passage.places, passage.locator).label for span in found
    ] == ["Hours", "Prices", "Prices", "Prices", ""]


def test_a_sentence_may_go_on_to_the_next_page_or_segment() -> None:
    for first, second in (
        (Page(1), Page(2)),
        (TimeSpan(0.0, 1.0), TimeSpan(1.0, 2.0)),
        (Rows(1, 1), Rows(2, 2)),
    ):
        [passage] = cut([Piece("It goes", first), Piece("on here.", second)], words)
        assert breaks(passage.places) == ()
        assert list(sections(passage.text, passage.places, passage.locator)) == [
            ("It goes on here.", passage.locator)
        ]


def test_nothing_is_kept_where_the_passage_tells_it_all() -> None:
    for place in (WHOLE, Heading("Lamps"), Page(1)):
        [passage] = cut([Piece("One. Two.", place)], words)
        assert passage.places == ()
        assert located(passage) == [place, place]


def test_times_of_a_passage_without_places_pass_evenly() -> None:
    assert locate(Span(50, 100), 100, (), TimeSpan(10.0, 30.0)) == TimeSpan(20.0, 30.0)


def test_places_are_read_as_they_were_stored() -> None:
    kept = (Place(0, TimeSpan(0.0, 1.25)), Place(12, TimeSpan(1.25, 2.0)), Place(20, Page(2)))
    assert places.read(places.stored(kept)) == kept


def shortened_of(texts_and_times: list[tuple[str, float, float]]) -> list[str]:
    """The parts of one sentence that is spoken in these segments."""
    text, places = "", []
    for words_of, start, end in texts_and_times:
        places.append(Place(len(text), TimeSpan(start, end)))
        text += f"{words_of} "
    text = text.rstrip()
    return [part.of(text) for part in shortened(text, Span(0, len(text)), places)]


def test_a_sentence_without_end_is_cut_where_its_segments_begin() -> None:
    """A model that left out the full stops wrote them as one."""
    assert shortened_of([("They met in 1886", 50.0, 67.0), ("The company began", 67.5, 80.0)]) == [
        "They met in 1886",
        "The company began",
    ]
    parts = [(f"part {number}", 10.0 * number, 10.0 * number + 9) for number in range(8)]
    assert shortened_of(parts) == [f"part {n} part {n + 1}" for n in range(0, 8, 2)]


def test_a_sentence_that_is_short_enough_stays_whole() -> None:
    assert shortened_of([("A lamp on", 0.0, 8.0), ("a tower.", 9.0, MAX_SECONDS)]) == [
        "A lamp on a tower."
    ]
    assert shortened_of([("One long segment.", 0.0, 60.0)]) == ["One long segment."]
    text = "On a page there is no time."
    places = [Place(0, Page(1)), Place(12, Page(2))]
    assert list(shortened(text, Span(0, len(text)), places)) == [Span(0, len(text))]
    assert list(shortened(text, Span(0, len(text)), ())) == [Span(0, len(text))]
