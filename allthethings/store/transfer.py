"""Everything that was indexed as one file, and back: to move between MongoDB servers, to keep, to
share.

The file is a zip with `<collection>.jsonl` for each collection: one document a line, in MongoDB's
Extended JSON (https://www.mongodb.com/docs/manual/reference/mongodb-extended-json/), relaxed. Its
`manifest.json` comes last and has `format`, `exported_at`, and for each collection the number of
`documents` and the `sha256` of the member's bytes.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from bson import json_util
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from allthethings.errors import BadInput
from allthethings.store.documents import Document, available, now

FORMAT = 1
MANIFEST = "manifest.json"
# The collections in the file, with the field that names the asset of a document, if it is one's.
COLLECTIONS: Mapping[str, str | None] = {
    "assets": "_id",
    "passages": "asset_id",
    "changes": "asset_id",
    "scans": "asset_id",
    "members": "archive_id",
    "imports": None,
    "import_lines": None,
}
# The field that names the list in the documents that have a `depth`: those of lists.
LIST_KEYS: Mapping[str, str] = {"imports": "_id", "import_lines": "import_id"}
# What is left out: what is made again, and what concerns this server alone.
LEFT_OUT = frozenset(
    {
        "deletions",
        "ended_sessions",
        "health",
        "member_parts",
        "revision_deletions",
        "revision_passages",
        "revisions",
        "unwanted",
    }
)
# Documents that are asked for, or written, by one command.
BATCH = 500
DUPLICATE_KEY = 11000
# The fields that tell one state of an asset from another. A new text leaves `updated_at`.
STATE = ("updated_at", "revision")
OPTIONS = json_util.RELAXED_JSON_OPTIONS.with_options(tz_aware=True)


@dataclass
class Counts:
    """What an import has done, in documents. `refused` are assets whose URL was there already as
    another asset, or came meanwhile; `kept` are those that were there in another state."""

    added: int = 0
    there: int = 0
    refused: int = 0
    kept: int = 0
    # The ids of the assets whose other documents are wanted.
    wanted: set[Any] = field(default_factory=set, repr=False)


def export(database: Database[Document], path: Path) -> dict[str, int]:
    """Write everything into the file, which appears when it is complete. Returns the number of
    documents of each collection. Raises ServiceUnavailable.

    What changes meanwhile may be in it or not: stop the app to have the state of one moment.
    """
    partial = path.with_name(path.name + ".partial")
    written: dict[str, Any] = {}
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in COLLECTIONS:
            written[name] = _write(archive, f"{name}.jsonl", database[name])
        manifest = {"format": FORMAT, "exported_at": now().isoformat(), "collections": written}
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2))
    partial.replace(path)
    return {name: each["documents"] for name, each in written.items()}


def _write(archive: zipfile.ZipFile, member: str, collection: Collection[Document]) -> Document:
    digest, documents = hashlib.sha256(), 0
    with archive.open(member, "w", force_zip64=True) as lines, available():
        for document in collection.find(batch_size=BATCH):
            line = json_util.dumps(document, json_options=OPTIONS) + "\n"
            lines.write(line.encode())
            digest.update(line.encode())
            documents += 1
    return {"documents": documents, "sha256": digest.hexdigest()}


def load(database: Database[Document], path: Path) -> Counts:
    """Add what is in the file and not in the database; nothing that is there is changed. An import
    that was interrupted is completed by another. Needs the indexes of `create-indexes.py`.

    Raises BadInput if the file is not a complete export, before anything is written, and
    ServiceUnavailable.
    """
    counts = Counts()
    with _opened(path) as archive:
        manifest = _checked(archive, path)
        for name, key in COLLECTIONS.items():
            if name not in manifest["collections"]:
                continue
            for batch in _batches(_documents(archive, name)):
                batch = [each for each in batch if _is_wanted(name, each, counts.wanted)]
                with available():
                    _add(database[name], batch, counts, is_asset=key == "_id")
    return counts


def _is_wanted(name: str, document: Document, wanted: Container[Any]) -> bool:
    """Whether a document is of no asset, or of one that the file may complete."""
    key = COLLECTIONS[name]
    if key is None and document.get("depth") is not None:
        key = LIST_KEYS[name]
    return key is None or name == "assets" or document[key] in wanted


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} cannot be read: {error}.") from error


def _checked(archive: zipfile.ZipFile, path: Path) -> Mapping[str, Any]:
    """The manifest, of a file that is whole."""
    try:
        manifest: Mapping[str, Any] = json.loads(archive.read(MANIFEST))
        if manifest["format"] > FORMAT:
            raise BadInput(f"{path} was written by a later version of the app.")
        for name, told in manifest["collections"].items():
            if _digest(archive, f"{name}.jsonl") != told["sha256"]:
                raise BadInput(f"{path} is damaged: {name}.jsonl does not match its checksum.")
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise BadInput(f"{path} is not a complete export.") from error
    return manifest


def _digest(archive: zipfile.ZipFile, member: str) -> str:
    digest = hashlib.sha256()
    with archive.open(member) as content:
        while block := content.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _documents(archive: zipfile.ZipFile, name: str) -> Iterator[Document]:
    with archive.open(f"{name}.jsonl") as lines:
        for line in lines:
            yield json_util.loads(line, json_options=OPTIONS)


def _batches(documents: Iterable[Document]) -> Iterator[list[Document]]:
    each = iter(documents)
    while batch := list(islice(each, BATCH)):
        yield batch


def _add(
    collection: Collection[Document], batch: list[Document], counts: Counts, is_asset: bool
) -> None:
    """Insert those that are not there. Of assets, note which ones the file may complete."""
    query = {"_id": {"$in": [each["_id"] for each in batch]}}
    there = {each["_id"]: each for each in collection.find(query, STATE)}
    new = [_free(each) for each in batch if each["_id"] not in there]
    refused = _insert(collection, new)
    counts.added += len(new) - len(refused)
    counts.there += len(there)
    if is_asset:
        counts.refused += len(refused)
        changed = {
            each["_id"]
            for each in batch
            if each["_id"] in there and _state(there[each["_id"]]) != _state(each)
        }
        counts.kept += len(changed)
        counts.wanted |= {each["_id"] for each in batch} - refused - changed


def _state(asset: Document) -> list[Any]:
    return [asset.get(name) for name in STATE]


def _free(document: Document) -> Document:
    """The document without whoever holds it on the server that it comes from."""
    if "lease_until" not in document:
        return document
    return {**document, "lease_owner": None, "lease_until": now()}


def _insert(collection: Collection[Document], documents: list[Document]) -> set[Any]:
    """The ids of those that a unique index refuses, also of those that came meanwhile."""
    if not documents:
        return set()
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        failures = (error.details or {}).get("writeErrors", [])
        if any(each.get("code") != DUPLICATE_KEY for each in failures):
            raise
        return {documents[each["index"]]["_id"] for each in failures}
    return set()
