"""Do the vendors' OpenAPI documents still say what the app relies on?

    python -m tools.check_contracts DOCUMENT...

tools/contracts/ has what the app sends to each service and what it reads of the answers, with
source and date. The title of a document tells which service it is of. Prints each difference, and
exits with 1 where there is one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parent / "contracts"
# What JSON Schema allows in the place of a number.
NUMBERS = frozenset({"integer", "number"})


class UnknownDocument(Exception):
    """A file that is no OpenAPI document of a service that the app uses."""


def read_contracts() -> dict[str, Any]:
    """What the app relies on, by the title of the vendor's document."""
    found = [json.loads(path.read_text("utf-8")) for path in sorted(FACTS.glob("*.json"))]
    return {each["title"]: each for each in found}


class Schema:
    """A schema of JSON Schema or OpenAPI, with its alternatives and references resolved against the
    document that it stands in."""

    def __init__(self, root: Mapping[str, Any], *nodes: Mapping[str, Any]) -> None:
        self._root = root
        self._options = [option for node in nodes for option in self._flat(node)]

    def _flat(self, node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        if "$ref" in node:
            yield from self._flat(resolved(self._root, node["$ref"]))
            return
        alternatives = [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]
        for each in alternatives:
            yield from self._flat(each)
        if not alternatives or "properties" in node:
            yield node
        if node.get("nullable"):
            yield {"type": "null"}

    @property
    def types(self) -> frozenset[str]:
        """The types that it allows; none: any."""
        told: set[str] = set()
        for option in self._options:
            if "type" not in option:
                return frozenset()
            types = option["type"]
            told.update([types] if isinstance(types, str) else types)
        return frozenset(told)

    @property
    def values(self) -> frozenset[str] | None:
        """The texts that it allows; None: any."""
        texts = [each for each in self._options if "string" in each.get("type", "string")]
        if not texts or not all("enum" in each for each in texts):
            return None
        return frozenset(value for each in texts for value in each["enum"] if value is not None)

    @property
    def required(self) -> frozenset[str]:
        """The properties that every object has that it allows."""
        objects = [each for each in self._options if "properties" in each]
        named = [frozenset(each.get("required", ())) for each in objects]
        return frozenset.intersection(*named) if named else frozenset()

    @property
    def is_open(self) -> bool:
        """Whether objects may have properties that it does not name."""
        objects = [each for each in self._options if "object" in each.get("type", "object")]
        return any(
            each.get("additionalProperties", "properties" not in each) is not False
            for each in objects
        )

    @property
    def names(self) -> list[str]:
        """The properties that it names."""
        return list(dict.fromkeys(n for each in self._options for n in each.get("properties", ())))

    def of(self, name: str) -> Schema:
        """The schema of a property that it names."""
        found = [
            each["properties"][name] for each in self._options if name in each.get("properties", ())
        ]
        return Schema(self._root, *found)

    @property
    def items(self) -> Schema | None:
        """The schema of an array's items."""
        found = [each["items"] for each in self._options if "items" in each]
        return Schema(self._root, *found) if found else None


def resolved(root: Mapping[str, Any], reference: str) -> Any:
    """What a reference such as `#/components/schemas/Event` leads to."""
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def differences(contract: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[str]:
    """What the document says otherwise than the app relies on, a sentence each."""
    for call, mine in contract["calls"].items():
        method, path = call.split()
        operation = document.get("paths", {}).get(path, {}).get(method.lower())
        if operation is None:
            yield f"{call}: the document does not have it any more."
            continue
        for place, name in (("query", "query"), ("header", "headers")):
            schema = Schema(contract, mine.get(name, {}))
            yield from _of_the_parameters(call, place, schema, operation, document)
        yield from _of_the_request(call, mine.get("sends"), contract, operation, document)
        yield from _of_the_answers(call, mine["answers"], contract, operation, document)


def _parameters(operation: Any, document: Any, place: str) -> dict[str, Any]:
    """The parameters of an operation that go there, by name in lower case."""
    told = [
        resolved(document, each["$ref"]) if "$ref" in each else each
        for each in operation.get("parameters", ())
    ]
    return {each["name"].lower(): each for each in told if each["in"] == place}


def _of_the_parameters(
    call: str, place: str, mine: Schema, operation: Any, document: Any
) -> Iterator[str]:
    """`place` is `query` or `header`. The names of headers ignore case."""
    told = _parameters(operation, document, place)
    for name in mine.names:
        if name.lower() not in told:
            yield f"{call}: it has no {place} {name} any more."
        else:
            theirs = Schema(document, told[name.lower()]["schema"])
            yield from _compared(mine.of(name), theirs, f"{call} {place} {name}", sent=True)
    sent = {name.lower() for name in mine.required}
    for name, each in told.items():
        if each.get("required") and name not in sent:
            yield f"{call}: it needs the {place} {name} now."


def _of_the_request(
    call: str, mine: Any, contract: Any, operation: Any, document: Any
) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {})
    if mine is None:
        if operation.get("requestBody", {}).get("required"):
            yield f"{call}: it needs a body now."
        return
    [(media, schema)] = mine.items()
    if media not in content:
        yield f"{call}: it takes no {media} any more."
        return
    theirs = Schema(document, content[media]["schema"])
    yield from _compared(Schema(contract, schema), theirs, f"{call} request", sent=True)


def _of_the_answers(
    call: str, mine: Mapping[str, Any], contract: Any, operation: Any, document: Any
) -> Iterator[str]:
    for status, schema in mine.items():
        if status not in operation["responses"]:
            yield f"{call}: it does not answer {status} any more."
        elif schema is not None:
            content = operation["responses"][status].get("content", {})
            if "application/json" not in content:
                yield f"{call}: its answer {status} is no JSON any more."
                continue
            theirs = Schema(document, content["application/json"]["schema"])
            yield from _compared(Schema(contract, schema), theirs, f"{call} {status}", sent=False)
    for status in operation["responses"]:
        if status.startswith("2") and status not in mine:
            yield f"{call}: it answers {status} too."


def _compared(mine: Schema, theirs: Schema, at: str, *, sent: bool) -> Iterator[str]:
    """The differences between what the app sends or reads, and what the vendor tells of that."""
    yield from _types(mine.types, theirs.types, at, sent=sent)
    yield from _values(mine.values, theirs.values, at, sent=sent)
    for name in mine.names:
        if name in theirs.names:
            yield from _compared(mine.of(name), theirs.of(name), f"{at}.{name}", sent=sent)
        elif not (sent and theirs.is_open):
            yield f"{at}: there is no {name} any more."
    needed = theirs.required - mine.required if sent else mine.required - theirs.required
    for name in sorted(needed):
        yield f"{at}: {name} is {'needed now' if sent else 'not always there any more'}."
    if mine.items and theirs.items:
        yield from _compared(mine.items, theirs.items, f"{at}[]", sent=sent)


def _types(mine: frozenset[str], told: frozenset[str], at: str, *, sent: bool) -> Iterator[str]:
    if not mine or not told:  # any
        return
    from_, to = (mine, told) if sent else (told, mine)
    strange = {each for each in from_ - to if each not in NUMBERS or "number" not in to}
    if strange:
        verb = "sends" if sent else "reads"
        yield f"{at}: the app {verb} {_listed(mine)}, the document says {_listed(told)}."


def _values(
    mine: frozenset[str] | None, told: frozenset[str] | None, at: str, *, sent: bool
) -> Iterator[str]:
    if sent:
        if told is not None and (mine is None or mine - told):
            yield f"{at}: the app sends {_listed(mine)}, the document allows {_listed(told)}."
    elif mine is not None and mine != told:
        yield f"{at}: the app knows {_listed(mine)}, the document says {_listed(told)}."


def _listed(words: frozenset[str] | None) -> str:
    return "any text" if words is None else ", ".join(sorted(words))


def compare(path: Path) -> tuple[str, list[str]]:
    """Whose document it is, and how it differs. Raises UnknownDocument."""
    try:
        document = json.loads(path.read_text("utf-8"))
        title = document["info"]["title"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UnknownDocument(f"{path} is no OpenAPI document in JSON: {error!r}") from error
    contracts = read_contracts()
    if title not in contracts:
        known = ", ".join(sorted(contracts))
        raise UnknownDocument(f"{path} is '{title}'. Known are: {known}.")
    return title, list(differences(contracts[title], document))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", nargs="+", type=Path, metavar="DOCUMENT")
    found = 0
    for path in parser.parse_args().documents:
        try:
            title, told = compare(path)
        except UnknownDocument as error:
            print(error, file=sys.stderr)
            return 2
        print(f"{title}: {len(told) or 'no'} differences")
        for line in told:
            print(f"  {line}")
        found += len(told)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
