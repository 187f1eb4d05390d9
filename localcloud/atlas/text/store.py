"""The store of a `search` index: a tantivy index with the resume token beside it.

tantivy makes a commit durable as a whole. The token is written after the commit that it covers,
so after a crash the index is never behind its token, and applying the same changes again is
harmless. A file without its checksum is a DamagedStore.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bson
import tantivy

from localcloud.atlas.index.sources import unpack
from localcloud.atlas.index.stores import DamagedStore, Token, encode_id
from localcloud.atlas.text import files
from localcloud.atlas.text.analyzers import BUILDERS, analyzer
from localcloud.atlas.text.documents import ID, DocumentSchema, stored
from localcloud.atlas.text.mappings import SearchDefinition

log = logging.getLogger("atlas.texts")

# The version of the layout on disk. Another version is built anew.
FORMAT = 1
# Bytes of memory for documents that are not yet committed.
HEAP_BYTES = 48_000_000
# Deleted documents that an index may always hold; beyond it, they may not outnumber the live ones.
MIN_DEAD_TO_COMPACT = 2_000


class TextStore:
    """The Store of a search index. `snapshot` may be called from any thread."""

    def __init__(self, directory: Path, definition: SearchDefinition) -> None:
        self._directory = directory
        self._words = directory / "words"
        self.definition = definition
        self._documents = DocumentSchema(definition)
        self.schema = self._documents.tantivy
        # Held by the thread that uses the writer.
        self._lock = threading.Lock()
        self._index: tantivy.Index | None = None
        self._writer: tantivy.IndexWriter | None = None
        # Whether the writer holds changes that the next search has to see.
        self._pending = False
        # The latest state of documents that are searched as before, until it is committed: packed
        # as in index/sources.py, by encoded _id.
        self._newer: dict[bytes, bytes] = {}

    # On disk

    def open(self) -> None:
        try:
            self._open()
        except DamagedStore as error:
            log.warning("index on disk is damaged (%s), building it anew", error)
            shutil.rmtree(self._directory)
            self._open()

    def _open(self) -> None:
        self._words.mkdir(parents=True, exist_ok=True)
        state = self._state()
        if state is None:  # no commit has had a token yet, so the documents may be stale
            shutil.rmtree(self._words)
            self._words.mkdir()
        elif state.get("format") != FORMAT:
            raise DamagedStore("another format")
        else:
            files.verify(self._words)
        with _tantivy_errors():
            index = tantivy.Index(self.schema, str(self._words))
            for name in BUILDERS:
                index.register_tokenizer(name, analyzer(name))
            index.config_reader("manual")
            index.reload()
            self._writer = index.writer(HEAP_BYTES, 1)
        self._index = index
        self._pending, self._newer = False, {}

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
        self._refresh(whole=True)
        if token is not None:
            state = {"format": FORMAT, "token": token}
            files.replace_file(self._directory / "state.bson", state)

    def _refresh(self, *, whole: bool = False) -> None:
        """Make all changes durable and visible, if there are some that searches have to see, or
        any at all with `whole`."""
        with self._lock:
            is_due = self._pending or (whole and self._newer)
            if not is_due or self._writer is None or self._index is None:
                return
            with _tantivy_errors():
                self._writer.commit()
                self._index.reload()
            self._pending, self._newer = False, {}

    def close(self) -> None:
        with self._lock:
            self._writer = None  # its destructor ends its threads and releases its lock

    def delete(self) -> None:
        shutil.rmtree(self._directory, ignore_errors=True)
        with contextlib.suppress(OSError):  # another version of the index is beside it
            self._directory.parent.rmdir()

    # Writing

    def has(self, document: Mapping[str, Any]) -> bool:
        return self._source(encode_id(document["_id"])) == self._documents.source(document)

    def _source(self, key: bytes) -> bytes | None:
        """A document of the last commit, packed as in index/sources.py."""
        if self._index is None:
            return None
        searcher = self._index.searcher()
        term = tantivy.Query.term_query(self.schema, ID, key.hex())
        hits = searcher.search(term, 1, count=False).hits
        return stored(searcher, hits[0][1])[1] if hits else None

    def put(self, document: Mapping[str, Any]) -> None:
        """Most updates, as that of a vector, change nothing that is searched: no search has to wait
        until they are committed."""
        key = encode_id(document["_id"])
        entry = self._documents.entry(key.hex(), document)
        is_alike = not self._pending and self._is_alike(key, document)
        with self._lock, _tantivy_errors():
            writer = self._open_writer()
            writer.delete_documents_by_term(ID, key.hex())
            writer.add_document(entry)
            if is_alike:
                self._newer[key] = self._documents.source(document)
            else:
                self._newer.pop(key, None)
                self._pending = True

    def _is_alike(self, key: bytes, document: Mapping[str, Any]) -> bool:
        """Whether the document is searched as the one that searches see."""
        before = self._newer.get(key) or self._source(key)
        return before is not None and self._documents.alike(unpack(before).document, document)

    def remove(self, key: bytes) -> None:
        with self._lock, _tantivy_errors():
            self._open_writer().delete_documents_by_term(ID, key.hex())
            self._newer.pop(key, None)
            self._pending = True

    def keep_only(self, keys: set[bytes]) -> None:
        known = self.snapshot().terms_with_prefix(ID, "")
        for key in {bytes.fromhex(term) for term, _ in known} - keys:
            self.remove(key)

    def _open_writer(self) -> tantivy.IndexWriter:
        if self._writer is None:
            raise OSError("the index is closed")
        return self._writer

    def compact(self) -> None:
        """Put every live document in again when most are deleted.

        tantivy drops the segments that hold no live document.
        """
        live, dead = files.population(self._words)
        if dead <= max(live, MIN_DEAD_TO_COMPACT):
            return
        searcher = self.snapshot()
        hits = searcher.search(tantivy.Query.all_query(), max(1, searcher.num_docs), count=False)
        for _, address in hits.hits:
            # The fields that the stored source lacks are not indexed either.
            self.put(unpack(stored(searcher, address)[1]).document)
        self._refresh(whole=True)

    # Searching

    def newer(self) -> Mapping[bytes, bytes]:
        """The documents, packed and by encoded _id, whose state in the next snapshot may be older.
        They are searched as they are there."""
        return self._newer

    def snapshot(self) -> tantivy.Searcher:
        """A searcher that finds documents as every `put` and `remove` before this call has left
        them."""
        self._refresh()
        if self._index is None:
            raise OSError("the index is not loaded")
        return self._index.searcher()

    def string_field(self, path: str) -> str | None:
        """The tantivy field with a path's strings; None if the path is not indexed as string."""
        return self._documents.string_field(path)

    def completion_field(self, path: str) -> str | None:
        """The tantivy field with a path's words for autocompletion; None if there is none."""
        return self._documents.completion_field(path)


@contextlib.contextmanager
def _tantivy_errors() -> Iterator[None]:
    """Raise tantivy's ValueErrors, which report a full disk or a lost file, as OSError."""
    try:
        yield
    except ValueError as error:
        raise OSError(f"tantivy: {error}") from error
