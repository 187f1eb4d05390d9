"""Bodies, paths and queries that nobody in their right mind sends."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

NOBODY = "0" * 24
# What json.dumps would not write, each under the text that stands in its place.
RAW = {
    "@deep 12": "[" * 12 + "]" * 12,
    "@deep 400": "[" * 400 + "]" * 400,
    "@deep 950": "[" * 950 + "]" * 950,
    "@deep 990": '{"a":' * 990 + "1" + "}" * 990,
    "@deep 20000": "[" * 20_000 + "]" * 20_000,
    "@open 20000": "[" * 20_000,
    "@large": "9" * 4_000,
    "@too large": "9" * 5_000,
    "@double": "-1e300",
    "@beyond": "1e999",
    "@below": "-1e-999",
    "@nan": "NaN",
    "@infinite": "-Infinity",
    "@long": '"' + "a " * 3_000 + '"',
    "@surrogate": r'"\ud800 and \udfff"',
    "@zero": r'"\u0000"',
}

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**63 - 2, 2**65)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(sorted(RAW))
    | st.sampled_from(["succeeded", "failed", "canceled", "aborted", "processing", "starting"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=6,
)


def everywhere(payload: Any) -> Iterator[bytes]:
    """Each of the values of RAW in the place of each part of the payload, and of the whole; of a
    list in that of its first item."""
    for mark, raw in RAW.items():
        for told in _replaced(payload, mark):
            yield json.dumps(told).replace(f'"{mark}"', raw).encode()


def _replaced(value: Any, mark: str) -> Iterator[Any]:
    yield mark
    if isinstance(value, dict):
        for key, inner in value.items():
            for changed in _replaced(inner, mark):
                yield {**value, key: changed}
    elif isinstance(value, list) and value:
        for changed in _replaced(value[0], mark):
            yield [changed, *value[1:]]


@st.composite
def mutated(draw: st.DrawFn, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload with up to three of its parts replaced, removed or added."""
    changed: dict[str, Any] = json.loads(json.dumps(payload))
    for _ in range(draw(st.integers(0, 3))):
        place: Any = changed
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(
                st.sampled_from([*keys, "more"]) if isinstance(place, dict) else _index(keys)
            )
            inner = place[key] if key in keys else None
            if not (isinstance(inner, dict | list) and inner and draw(st.booleans())):
                break
            place = inner
        _change(draw, place, key)
    return changed


def _index(keys: Sequence[int]) -> st.SearchStrategy[int]:
    return st.integers(0, min(len(keys) - 1, 2))


def _change(draw: st.DrawFn, place: Any, key: Any) -> None:
    how = draw(st.sampled_from(["replace", "replace", "replace", "remove", "twice"]))
    if how == "replace" or (isinstance(place, dict) and key not in place):
        place[key] = draw(anything)
    elif how == "remove":
        del place[key]
    elif isinstance(place, list):
        place.append(place[key])


@st.composite
def bodies(draw: st.DrawFn, payload: Mapping[str, Any]) -> bytes:
    """A body that is nearly the payload, or not at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=60))
    told = draw(st.integers(0, 5).flatmap(lambda one: anything if one == 0 else mutated(payload)))
    text = json.dumps(told, ensure_ascii=draw(st.booleans()))
    for mark, raw in RAW.items():
        text = text.replace(f'"{mark}"', raw)
    if draw(st.integers(0, 5)) == 0 and text.startswith('{"'):
        text = f'{{"id": {draw(st.sampled_from(["null", "7", "[]"]))}, {text[1:]}'
    coding = draw(st.sampled_from([*["utf-8"] * 8, "utf-8-sig", "utf-16", "utf-32", "latin-1"]))
    errors = "surrogatepass" if coding.startswith("utf") else "replace"
    body = text.encode(coding, errors)
    if draw(st.integers(0, 7)) == 0:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=4)) + body[draw(st.integers(at, len(body))) :]
    return body


words = st.text(max_size=30) | st.sampled_from(
    ["..", "%00", "%ff", "%2e%2e%2f", "\ud800", "\U0001d4b3", "x" * 3_000, "9" * 4_299, "9" * 4_400]
)


def segment(text: str) -> str:
    """One segment of a path; half a surrogate pair becomes bytes that are no UTF-8."""
    return quote(text.encode("utf-8", "surrogatepass"), safe="%")


@st.composite
def paths(draw: st.DrawFn, true_path: str, others: Sequence[str]) -> str:
    """Mostly the true path of a callback, else another thing's or nobody's or an absurd one."""
    which = draw(st.integers(0, 9))
    if which < 6:
        return true_path
    if which < 8:
        return draw(st.sampled_from(others))
    kind = draw(st.sampled_from(["audio", "embedding"]) | words.map(segment))
    asset = draw(st.sampled_from([NOBODY, true_path.split("/")[1]]) | words.map(segment))
    numbers = st.integers().map(str) | words.map(segment)
    tail = f"/{draw(numbers)}-{draw(numbers)}" if draw(st.booleans()) else ""
    return f"{kind}/{asset}{tail}"
