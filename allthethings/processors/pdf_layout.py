"""From the lines of printed pages to paragraphs: running heads and feet are left out, divided
words are joined, and a sentence that goes on overleaf stays whole. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

# What PDFium writes for a hyphen at the end of a line, and hyphens that it leaves as they are.
HYPHEN, OTHER_HYPHENS = "\ufffe", ("\u00ad", "\u2010")
# Lines at the top, and at the bottom, of a page that may be running heads and feet.
EDGE = 2
# Pages on which a line has to stand to be a running one, with words and without, and how far apart
# two such pages may be: the heads of left and right pages differ, and some pages have none.
MIN_PAGES, MIN_NUMBERED, MAX_GAP = 3, 2, 4
# The words of a line that only numbers its page.
PAGE_WORDS = re.compile(r"\b(?:page|p|of)\b")
# Numbers at the beginning and the end of a line: 7, - 7 -, Page 7 of 12, xii.
NUMBER = re.compile(r"^\W*(?:\d+|[ivxl]+)\b|\b(?:\d+ of )?(?:\d+|[ivxl]+)\W*$")
# A step down of more than so many ordinary ones begins a paragraph.
WIDE_STEP = 1.2
# The least step from line to line, by the size of the letters, that counts as ordinary: the lines
# of a heading are further apart than those of the text below it.
LEADING = 1.25
# A difference in the size of letters that begins a paragraph: a heading, a note.
OTHER_SIZE = 0.12
# Widths of a letter by which the first line of a paragraph is indented.
INDENT = 0.7
SENTENCE_END = re.compile(r"[.!?:;\u2026\u3002][\"')\]\u2019\u201d\u00bb]*$")
FIRST_SENTENCE = re.compile(r".*?[.!?\u2026]+[\"')\]\u2019\u201d\u00bb]*(?=\s|$)")
# The longest part of a sentence, in characters, that is taken from the page where it ends.
MAX_CARRIED = 1_000

# A line at an edge of a page: which edge, and its words without numbers.
Key = tuple[str, str]


@dataclass(frozen=True)
class Line:
    """A line of a page. `x` and `y` are where it begins, from the left and from the bottom, and
    `size` is that of its letters, all in points; None where the file does not tell."""

    text: str
    x: float | None = None
    y: float | None = None
    size: float | None = None


def paragraphs(pages: Sequence[Sequence[Line]]) -> list[list[str]]:
    """The paragraphs of each page."""
    words = frozenset(_words(pages))
    heads, rest = _apart(pages)
    bodies = [list(_paragraphs_of(page, words)) for page in rest]
    _join_overleaf(bodies, words)
    return [
        [paragraph.replace(HYPHEN, "-") for paragraph in (*head, *body)]
        for head, body in zip(heads, bodies, strict=True)
    ]


def largest_text(page: Iterable[Line]) -> str | None:
    """What stands in clearly larger letters than the rest of a page, such as a title."""
    lines = [line for line in page if line.size]
    if not lines:
        return None
    sizes = sorted(line.size or 0.0 for line in lines for _ in line.text.split())
    largest = max(line.size or 0.0 for line in lines)
    if largest < 1.2 * sizes[len(sizes) // 2]:
        return None
    found = " ".join(line.text for line in lines if (line.size or 0.0) > 0.95 * largest)
    return " ".join(found.replace(HYPHEN, "").split()) or None


def _apart(pages: Sequence[Sequence[Line]]) -> tuple[list[list[str]], list[list[Line]]]:
    """Of each page the running heads and feet that are seen there first and have words, for those
    may be titles; and the page without its running lines."""
    edges = [_edges(page) for page in pages]
    running = _running(edges)
    seen: set[Key] = set()
    heads, rest = [], []
    for page, edge in zip(pages, edges, strict=True):
        here = {index: key for index, key in sorted(edge.items()) if key in running}
        heads.append(
            [page[i].text for i, key in here.items() if _has_words(key) and key not in seen]
        )
        rest.append([line for index, line in enumerate(page) if index not in here])
        seen.update(here.values())
    return heads, rest


def _edges(page: Sequence[Line]) -> dict[int, Key]:
    """The outermost lines by their index, where there is room between them and the others."""
    order = sorted(range(len(page)), key=lambda index: (-(page[index].y or 0.0), index))
    outermost = dict.fromkeys(_outside([page[index] for index in order], order), "top")
    order.reverse()
    outermost |= dict.fromkeys(_outside([page[index] for index in order], order), "bottom")
    return {index: (side, _numberless(page[index].text)) for index, side in outermost.items()}


def _outside(lines: Sequence[Line], order: Sequence[int]) -> Sequence[int]:
    """The first few of these, up to the last gap among them; of a short page, most are left."""
    for edge in range(min(EDGE, len(lines) // 3), 0, -1):
        outer, inner = lines[edge - 1], lines[edge]
        if not (outer.y and inner.y and inner.size):
            return order[:edge]
        if abs(outer.y - inner.y) > WIDE_STEP * LEADING * inner.size:
            return order[:edge]
    return ()


def _numberless(text: str) -> str:
    """A line without the numbers in its first and its last words."""
    return NUMBER.sub("#", " ".join(text.lower().split()))


def _running(edges: Sequence[dict[int, Key]]) -> set[Key]:
    """The keys of lines that stand at the edge of several pages near each other."""
    last: dict[Key, int] = {}
    near: Counter[Key] = Counter()
    most: Counter[Key] = Counter()
    for number, edge in enumerate(edges):
        for key in set(edge.values()):
            near[key] = near[key] + 1 if number - last.get(key, -MAX_GAP - 1) <= MAX_GAP else 1
            most[key] = max(most[key], near[key])
            last[key] = number
    return {
        key
        for key, pages in most.items()
        if pages >= (MIN_PAGES if _has_words(key) else MIN_NUMBERED)
    }


def _has_words(key: Key) -> bool:
    return any(map(str.isalpha, PAGE_WORDS.sub("", key[1])))


def _paragraphs_of(page: Sequence[Line], words: frozenset[str]) -> Iterator[str]:
    begins = _beginnings(page)
    text = ""
    for index, line in enumerate(page):
        if text and begins(index):
            yield text
            text = ""
        text = _joined(text, line.text, words)
    if text:
        yield text


def _beginnings(page: Sequence[Line]) -> Callable[[int], bool]:
    """A function that tells whether a paragraph begins with the line of an index."""
    steps = [
        above.y - line.y
        for above, line in pairwise(page)
        if above.y is not None and line.y is not None and 0 < above.y - line.y < 100
    ]
    ordinary = median(steps) if steps else 0.0

    def begins(index: int) -> bool:
        above, line = page[index - 1], page[index]
        if not (above.size and line.size and above.y and line.y):
            return False
        if abs(line.size - above.size) > OTHER_SIZE * above.size:
            return True
        ended = bool(SENTENCE_END.search(above.text))
        step = above.y - line.y
        if step < 0 or step > 100:  # the next column, or something between
            return ended
        indented = (line.x or 0.0) > (above.x or 0.0) + INDENT * line.size
        return step > WIDE_STEP * max(ordinary, LEADING * line.size) or (ended and indented)

    return begins


def _words(pages: Sequence[Sequence[Line]]) -> Iterator[str]:
    """The words with a hyphen inside, to know those that keep it at the end of a line."""
    for page in pages:
        for line in page:
            yield from re.findall(r"\w+-\w+", line.text.lower())


def _joined(text: str, line: str, words: frozenset[str]) -> str:
    """The text with a line after it; a word that was divided between them is whole again."""
    if not text.endswith((HYPHEN, *OTHER_HYPHENS)):
        return f"{text} {line}" if text else line
    return _inner_hyphens(text[:-1] + HYPHEN + line, words)


def _inner_hyphens(line: str, words: frozenset[str]) -> str:
    """A line whose divided words are whole again. A hyphen that also stands within a line of the
    document, or before a capital or a number, was not put there by the division."""

    def whole(divided: re.Match[str]) -> str:
        first, second = divided.groups()
        kept = f"{first}-{second}".lower() in words or not second[0].islower()
        return f"{first}-{second}" if kept else first + second

    return re.sub(rf"(\w+){HYPHEN}\s*(\w+)", whole, line)


def _join_overleaf(pages: list[list[str]], words: frozenset[str]) -> None:
    """Move the rest of a sentence that goes on overleaf to the page where it begins."""
    for page, following in pairwise(pages):
        if not page or not following or SENTENCE_END.search(page[-1]):
            continue
        if not (following[0][:1].islower() or page[-1].endswith(HYPHEN)):
            continue
        rest = FIRST_SENTENCE.match(following[0][:MAX_CARRIED])
        if rest:
            page[-1] = _joined(page[-1], rest.group(), words)
            following[0] = following[0][rest.end() :].strip()
            if not following[0]:
                del following[0]
