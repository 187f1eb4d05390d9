"""Random filtered queries against a scan of everything."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

from tests.allthethings.search.library import (
    DAYS,
    FIRST_DAY,
    HOSTS,
    LANGUAGES,
    QUERIES,
    WORDS,
    Library,
    Searcher,
    Wanted,
    census,
    scan,
)

SITES = [*HOSTS, "org", "nowhere.test"]
TEXTS = [
    *("an anchor", "granite and feathers", "the harbour at night", "something quite different"),
    *("barley, candle or dahlia?", "zzz", "which ember glows"),
]


def _moment(rng: random.Random) -> tuple[str, datetime]:
    """A year, a month or a day, as it is written, and its first moment."""
    day = datetime.fromtimestamp(FIRST_DAY.timestamp() + rng.randrange(DAYS) * 86_400, UTC)
    pattern = rng.choice(["%Y", "%Y-%m", "%Y-%m-%d"])
    return day.strftime(pattern), datetime.strptime(
        day.strftime(pattern), pattern
    ).replace(tzinfo=UTC)  # fmt: skip


def make_wanted(rng: random.Random) -> Wanted:
    """A query with some filters, half of them in its text and half of them beside it."""
    wanted, text, parameters = Wanted(), [rng.choice(TEXTS)], {}

    def say(name: str, value: str) -> None:
        if rng.random() < 0.5:
            parameters[name] = value
        else:
            text.insert(rng.randrange(len(text) + 1), f'{name}:"{value}"')

    if rng.random() < 0.4:
        kind = rng.choice(["audio", "web page"])
        if rng.random() < 0.7:
            wanted = replace(wanted, kind=kind)
            say("kind", kind)
        else:
            wanted = replace(wanted, not_kind=kind)
            text.append(f'-kind:"{kind}"')
    if rng.random() < 0.5:
        site = rng.choice(SITES)
        wanted = replace(wanted, site=site)
        say("site", site)
    if rng.random() < 0.25:
        site = rng.choice(SITES)
        wanted = replace(wanted, not_site=site)
        text.append(f"-site:{site}")
    if rng.random() < 0.2:
        language = rng.choice(LANGUAGES)
        if rng.random() < 0.5:
            wanted = replace(wanted, lang=language)
            say("lang", language)
        else:
            wanted = replace(wanted, not_lang=language)
            text.append(f"-lang:{language}")
    if rng.random() < 0.4:
        written, moment = _moment(rng)
        wanted = replace(wanted, after=moment)
        say("after", written)
    if rng.random() < 0.4:
        written, moment = _moment(rng)
        wanted = replace(wanted, before=moment)
        say("before", written)
    if rng.random() < 0.2:
        phrase = " ".join(rng.choices(WORDS, k=rng.choice([1, 2])))
        wanted = replace(wanted, phrases=(phrase,))
        text.append(f'"{phrase}"')
    if rng.random() < 0.2:
        phrase = " ".join(rng.choices(WORDS, k=rng.choice([1, 2, 2])))
        wanted = replace(wanted, without=(phrase,))
        text.append(f'-"{phrase}"')
    return replace(wanted, text=" ".join(text), parameters=parameters)


def test_all_pages_together_are_what_a_scan_finds(search: Searcher, library: Library) -> None:
    rng, things = random.Random(5), census(library)
    sizes = []
    for _ in range(QUERIES):
        wanted = make_wanted(rng)
        found = search.all_ids(wanted.text, **wanted.parameters)
        assert len(found) == len(set(found)), wanted
        assert set(found) == scan(things, wanted), wanted
        sizes.append(len(found))
    # Neither all nor nothing: it was the filters that decided.
    assert sizes.count(0) < 0.5 * QUERIES
    assert max(sizes) > 40
    assert len(set(sizes)) > 20


def test_without_a_filter_everything_searchable_is_found(
    search: Searcher, library: Library
) -> None:
    found = search.all_ids("an anchor")
    assert len(found) == len(set(found))
    assert set(found) == scan(census(library), Wanted())
    assert len(found) >= 80
