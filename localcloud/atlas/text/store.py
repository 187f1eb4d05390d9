"""The store of a `search` index: a tantivy index, and beside it the resume token.

A document is in it with its encoded _id, itself (see sources.py), its exact values (see
values.py), the paths that it has, and its strings: a field of its own for every path that
the definition names, and one JSON field for the others. tantivy makes a commit durable as
a whole. The token is written after the commit that it covers, so after a crash the index
is never behind its token; taking in the same changes again does no harm. tantivy ends
each of its files with a checksum; a file that does not fit its own is a DamagedStore.
"""

from __future__ import annotations

import contextlib
import json
import logging
import mmap
import os
import re
import shutil
import struct
import threading
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bson
import tantivy

from localcloud.atlas.index.sources import is_vector, pack, unpack
from localcloud.atlas.index.stores import DamagedStore, Token, encode_id
from localcloud.atlas.text import values
from localcloud.atlas.text.analyzers import ANALYZERS, analyzer, prepare
from localcloud.atlas.text.mappings import Analysis, Field, Mappings, SearchDefinition
from localcloud.atlas.text.spelling import Vocabulary

log = logging.getLogger("atlas.texts")

FORMAT = 1
HEAP_BYTES = 48_000_000
ID, SOURCE, VALUES, PATHS, OTHERS = "id", "source", "values", "paths", "others"
# What tantivy's JSON fields take for a date and not for text.
_LIKE_A_DATE = re.compile(r"\d{4}-\d\d-\d\d[Tt].*")
_PARTS = ("fast", "fieldnorm", "idx", "pos", "store", "term")
_FOOTER_MAGIC = 1337


class TextStore:
    """The Store of a search index. `snapshot` may be called from any thread."""

    def __init__(self, directory: Path, definition: SearchDefinition) -> None:
        self._directory = directory
        self.definition = definition
        self._names = {path: f"text{n}" for n, (path, _) in enumerate(definition.strings())}
        self._keep = frozenset(definition.mappings.fields)
        self.schema = _schema(definition, self._names)
        self._lock = threading.Lock()  # held by whoever uses the writer
        self._index: tantivy.Index | None = None
        self._writer: tantivy.IndexWriter | None = None
        self._unseen = False  # whether the writer holds what searches do not see yet
        self._vocabularies: dict[str, Vocabulary] = {}

    # On disk

    def open(self) -> None:
        try:
            self._open()
        except DamagedStore as error:
            log.warning("index on disk is damaged (%s), building it anew", error)
            shutil.rmtree(self._directory)
            self._open()

    def _open(self) -> None:
        words = self._directory / "words"
        words.mkdir(parents=True, exist_ok=True)
        state = self._state()
        if state is None:  # nothing was ever committed with a token: what there is may be old
            shutil.rmtree(words)
            words.mkdir()
        elif state.get("format") != FORMAT:
            raise DamagedStore("another format")
        else:
            _verify(words)
        with _failures():
            index = tantivy.Index(self.schema, str(words))
            for name in ANALYZERS:
                index.register_tokenizer(name, analyzer(name))
            index.config_reader("manual")
            index.reload()
            self._writer = index.writer(HEAP_BYTES, 1)
        self._index = index
        self._unseen = False

    def _state(self) -> dict[str, Any] | None:
        try:
            return bson.decode((self._directory / "state.bson").read_bytes())
        except FileNotFoundError:
            return None
        except bson.errors.BSONError as error:
            raise DamagedStore(f"state: {error}") from error

    def token(self) -> Token | None:
        state = self._state()
        return None if state is None else state["token"]

    def commit(self, token: Token | None) -> None:
        self._refresh()
        if token is not None:
            _replace(self._directory / "state.bson", {"format": FORMAT, "token": token})

    def _refresh(self) -> None:
        """Make everything so far durable, and seen by searches."""
        with self._lock:
            if not self._unseen or self._writer is None or self._index is None:
                return
            with _failures():
                self._writer.commit()
                self._index.reload()
            self._unseen = False
            self._vocabularies = {}

    def close(self) -> None:
        with self._lock:
            self._writer = None  # it ends its threads and gives its lock back

    def delete(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        with contextlib.suppress(OSError):  # another version is beside it
            self._directory.parent.rmdir()

    # Writing

    def put(self, document: Mapping[str, Any]) -> None:
        key = encode_id(document["_id"]).hex()
        entry = tantivy.Document()
        entry.add_text(ID, key)
        entry.add_bytes(SOURCE, pack(document, self._keep))
        others: dict[str, list[str]] = {}
        for path, field, value in _walk(document, self.definition.mappings, ""):
            entry.add_text(PATHS, path)
            for item in _flat(value):
                for term in values.terms(path, item, field):
                    entry.add_text(VALUES, term)
                if isinstance(item, str) and field.string is not None:
                    self._add_string(entry, others, path, field.string, item)
        if others:
            entry.add_json(OTHERS, others)
        with self._lock, _failures():
            writer = self._open_writer()
            writer.delete_documents_by_term(ID, key)
            writer.add_document(entry)
            self._unseen = True

    def _add_string(
        self,
        entry: tantivy.Document,
        others: dict[str, list[str]],
        path: str,
        analysis: Analysis,
        text: str,
    ) -> None:
        ready = prepare(analysis.index, text)
        name = self._names.get(path)
        if name is not None:
            entry.add_text(name, ready)
        else:
            others.setdefault(_key(path), []).append(no_date(ready))

    def remove(self, key: bytes) -> None:
        with self._lock, _failures():
            self._open_writer().delete_documents_by_term(ID, key.hex())
            self._unseen = True

    def keep_only(self, keys: set[bytes]) -> None:
        known = self.snapshot().terms_with_prefix(ID, "")
        for key in {bytes.fromhex(term) for term, _ in known} - keys:
            self.remove(key)

    def _open_writer(self) -> tantivy.IndexWriter:
        if self._writer is None:
            raise OSError("the index is closed")
        return self._writer

    def compact(self) -> None:
        """Most of what is there is dead: putting the rest in again leaves only that, since
        tantivy drops the parts in which nothing lives."""
        live, dead = _population(self._directory / "words")
        if dead <= max(live, 2_000):
            return
        searcher = self.snapshot()
        hits = searcher.search(tantivy.Query.all_query(), max(1, searcher.num_docs), count=False)
        for _, address in hits.hits:
            source = unpack(stored(searcher, address)[1])
            self.put(source.document)  # what is left out of it is not indexed
        self._refresh()

    # Searching

    def snapshot(self) -> tantivy.Searcher:
        """All that was put and removed before the call."""
        self._refresh()
        if self._index is None:
            raise OSError("the index is not loaded")
        return self._index.searcher()

    def vocabulary(self, field: str, searcher: tantivy.Searcher) -> Vocabulary:
        """The terms of a field of its own, as they are now or were a moment ago."""
        known = self._vocabularies  # a commit puts another in its place
        if field not in known:
            known[field] = Vocabulary(searcher.terms_with_prefix(field, ""))
        return known[field]

    def string_field(self, path: str) -> str | None:
        """The tantivy field with a path's strings; None if it is not mapped to one."""
        name = self._names.get(path)
        if name is None:
            field = self.definition.at(path)
            if field is None or field.string is None:
                return None
            name = f"{OTHERS}.{_key(path)}"
        return name


def stored(searcher: tantivy.Searcher, address: tantivy.DocAddress) -> tuple[bytes, bytes]:
    """A document's encoded _id and source."""
    found = searcher.doc(address)
    return bytes.fromhex(str(found.get_first(ID))), bytes(found.get_first(SOURCE) or b"")


def no_date(text: str) -> str:
    """A text that a JSON field takes for text."""
    return text + " " if _LIKE_A_DATE.fullmatch(text) else text


def _schema(definition: SearchDefinition, names: Mapping[str, str]) -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(ID, stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_bytes_field(SOURCE, stored=True)
    builder.add_text_field(VALUES, tokenizer_name="raw", index_option="basic")
    builder.add_text_field(PATHS, tokenizer_name="raw", index_option="basic")
    for path, analysis in definition.strings():
        builder.add_text_field(names[path], tokenizer_name=analysis.index)
    if definition.is_dynamic():
        builder.add_json_field(OTHERS, tokenizer_name=definition.default.index)
    return builder.build()


def _key(path: str) -> str:
    """A path without the characters that mean something in a JSON field's."""
    return path.encode().hex()


def _walk(
    document: Mapping[str, Any], mappings: Mappings, prefix: str
) -> Iterator[tuple[str, Field, Any]]:
    """Every indexed path with its value, documents inside arrays included."""
    for name, value in document.items():
        field = mappings.field(name)
        if field is None or (name not in mappings.fields and is_vector(value)):
            continue
        path = prefix + name
        yield path, field, value
        if field.document is not None:
            for item in _flat(value):
                if isinstance(item, Mapping):
                    yield from _walk(item, field.document, f"{path}.")


def _flat(value: object) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """tantivy reports a full disk, a lost file and the like as ValueError."""
    try:
        yield
    except ValueError as error:
        raise OSError(f"tantivy: {error}") from error


# tantivy's files


def _meta(words: Path) -> list[dict[str, Any]]:
    """The segments of the last commit. Raises DamagedStore."""
    try:
        segments: list[dict[str, Any]] = json.loads((words / "meta.json").read_bytes())["segments"]
    except (OSError, ValueError, KeyError) as error:
        raise DamagedStore(f"meta.json: {error}") from error
    return segments


def _population(words: Path) -> tuple[int, int]:
    """How many documents live, and how many do not."""
    segments = _meta(words)
    total = sum(segment["max_doc"] for segment in segments)
    dead = sum(s["deletes"]["num_deleted_docs"] for s in segments if s["deletes"])
    return total - dead, dead


def _verify(words: Path) -> None:
    """Raises DamagedStore unless every file of the last commit is as it was written."""
    for segment in _meta(words):
        name = segment["segment_id"].replace("-", "")
        files = [f"{name}.{part}" for part in _PARTS]
        if segment["deletes"]:
            files.append(f"{name}.{segment['deletes']['opstamp']}.del")
        for file in files:
            try:
                sound = _is_sound(words / file)
            except (OSError, ValueError, KeyError, TypeError, struct.error) as error:
                raise DamagedStore(f"{file}: {error}") from error
            if not sound:
                raise DamagedStore(file)


def _is_sound(path: Path) -> bool:
    """A file ends with a footer in JSON, the footer's size, and a magic number."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        size, magic = struct.unpack("<II", data[-8:])
        end = len(data) - 8 - size
        footer = json.loads(data[max(0, end) : -8])
        with memoryview(data) as view, view[: max(0, end)] as body:
            return bool(magic == _FOOTER_MAGIC and zlib.crc32(body) == footer["crc"])


def _replace(path: Path, document: Mapping[str, Any]) -> None:
    """Write a small file durably, all or nothing."""
    fresh = path.with_suffix(".new")
    with fresh.open("wb") as file:
        file.write(bson.encode(document))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
