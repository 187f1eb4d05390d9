"""The word that was meant, for a word that nothing holds."""

from __future__ import annotations

import pytest
from lxml import html

from allthethings.search.spelling import MAX_WORDS, MOST, corrected, unfound
from tests.allthethings.search.library import Library, Searcher, Thing


@pytest.mark.parametrize(
    ("text", "found", "left"),
    [
        ("tunes of zithers", ["Tuning", "zither"], []),
        ("tunes of zithers", ["zither"], ["tunes"]),
        ("where were the other", [], []),
        ("KX-4471 b2b a_word oar isn't o'clock mail@host.test", [], []),
        ("Zither zither", [], ["Zither", "zither"]),
        ("alpha beta gamma delta", [], ["alpha", "beta", "gamma"]),
        ("zither " * (MAX_WORDS + 1), [], []),
        ("zithers and guitars", [], ["zithers"]),
    ],
)
def test_words_that_were_not_found(text: str, found: list[str], left: list[str]) -> None:
    assert unfound(text, found, {"guitars"}.__contains__) == left
    assert len(left) <= MOST


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("cat concat Cat", "car concat Cat"),
        ('"cat concat" note:cat', '"car concat" note:car'),
        ('cat -cat -"cat" -note:cat', 'car -cat -"cat" -note:cat'),
        ('cat site:cat.example -LANG:"cat"', 'car site:cat.example -LANG:"cat"'),
    ],
)
def test_whole_words_are_replaced_but_not_in_filters_and_excluded_words(
    text: str, meant: str
) -> None:
    assert corrected(text, {"cat": "car"}) == meant


@pytest.fixture(scope="module", autouse=True)
def birds(library: Library) -> None:
    library.put(Thing(["The lammergeier soars. Lammergeiers drop bones."], title="Lammergeier"))
    library.put(Thing(["Three wheatears and a wheater."], host="wheat.test"))
    library.put(Thing(["Wheatears again; wheatears for ever."]))


@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("lamergeier", "lammergeier"),
        ("lammergeire bones", "lammergeier bones"),
        ("where do Lamergeiers soar", "where do Lammergeiers soar"),
        ("granite lamergeier -wheatear kind:page", "granite lammergeier -wheatear kind:page"),
        ("wheater site:wheater.test", None),
        ("wheataers -wheataers site:wheataers.test", "wheatears -wheataers site:wheataers.test"),
        ("wheataers", "wheatears"),  # the more frequent one
        ("lammergeier", None),
        ("lammergeiers granite", None),
        ("lammergeier kind:audio", None),  # held, if not there
        ("lmmrgr", None),  # nothing is near
        ("wheat stubble", None),  # a word, if not held
        ("xammergeier", None),  # another first letter
        ("jjkv wqxz", None),
    ],
)
def test_the_nearest_word_that_is_held_is_offered(
    search: Searcher, query: str, meant: str | None
) -> None:
    answer = search.answer(query)
    assert answer["did_you_mean"] == meant
    page = html.document_fromstring(search.page(query))
    links = page.xpath("//p[starts-with(., 'Did you mean')]/a/text()")
    assert links == ([meant] if meant else [])


def test_the_search_itself_is_not_changed(search: Searcher) -> None:
    answer = search.answer("lamergeier")
    assert answer["query"] == "lamergeier"
    assert not answer["close"]
    assert search.answer("lamergeier", page="2")["did_you_mean"] is None
