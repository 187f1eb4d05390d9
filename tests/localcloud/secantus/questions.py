"""Random documents, and random questions about them, for two servers to be compared by."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bson import Binary, Decimal128, Int64, ObjectId
from pymongo.collection import Collection

Document = dict[str, Any]
START = datetime(2026, 1, 1)  # noqa: DTZ001  # as MongoDB's drivers return it
STATUSES = ["QUEUED", "READY", "READYNOT", "FAILED"]
KINDS = ["audio", "web", "we", "", "we\x00b", None]
# Values of many types, also equal ones of different types.
MIXED: list[Any] = [
    *(None, True, False, 0, -0.0, 1, 1.0, Int64(1), Decimal128("1"), 2.5, -3, 10, 10.5, 1e20),
    *(2**53 + 1, Int64(2**60), float("nan"), float("inf"), float("-inf"), "", "a", "ab", "b"),
    *(START, START + timedelta(days=1), ObjectId("6" * 24), Binary(b"\x00\x01"), {"n": 1}, {}),
]


class Questions:
    """Draws from a seed, so that a difference can be looked at again."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)

    def document(self, number: int) -> Document:
        draw = self.draw
        document = {
            "_id": number if draw.random() < 0.8 else f"n{number}",
            "url_key": f"k{number}",
            "status": draw.choice(STATUSES),
            "kind": draw.choice(KINDS),
            "created_at": self.moment(),
            "lease_until": draw.choice([None, self.moment()]),
            "number": draw.choice([number % 50, float(number % 50), None]),
            "mixed": draw.choice(MIXED),
            "tags": draw.sample(["p", "q", "r"], draw.randrange(3)),
            "seldom": draw.choice([[1, 2], 7]) if draw.random() < 0.03 else draw.randrange(5),
            "nested": {"n": draw.randrange(5), "word": draw.choice(["a", "ab", None])},
            "word": draw.choice(["", "a", "ab", "abc", "b"]),
            "tries": draw.randrange(4),
        }
        for field in ("kind", "lease_until", "mixed", "nested", "number"):
            if draw.random() < 0.1:
                del document[field]
        if draw.random() < 0.2:
            document["deleted_at"] = draw.choice([None, self.moment()])
        return document

    def moment(self) -> datetime:
        return START + timedelta(hours=self.draw.randrange(60))

    def create_indexes(self, collection: Collection[Document]) -> None:
        collection.create_index("url_key", unique=True)
        for fields in (
            ["created_at", "_id"],
            ["status", "created_at", "_id"],
            ["status", "kind", "created_at", "_id"],
            ["mixed", "_id"],
            ["nested.n", "nested.word", "created_at"],
            ["tags", "created_at"],
            ["seldom", "status"],
            ["lease_until", "status"],
        ):
            collection.create_index([(field, 1) for field in fields])
        collection.create_index([("number", -1), ("status", 1)])
        # No strings where an index descends: SecantusDB's own planner overlooks some of them.
        collection.create_index([("status", 1), ("created_at", -1), ("tries", 1)])
        collection.create_index("deleted_at", sparse=True)
        collection.create_index("tries", partialFilterExpression={"status": "READY"})
        collection.create_index("word", collation={"locale": "en", "strength": 2})

    def comparisons(self) -> Iterator[Document]:
        """Filters by each field of an index with each operator that an index can serve."""
        values: dict[str, list[Any]] = {
            "status": STATUSES[1:3],
            "kind": ["we", "", None],
            "created_at": [START + timedelta(hours=30)],
            "lease_until": [None, START + timedelta(hours=30)],
            "number": [None, 7, 7.5],
            "mixed": self.draw.sample(MIXED, 8),
            "nested.n": [2],
            "seldom": [2, 7],
            "_id": [100, "n100"],
            "deleted_at": [None, START + timedelta(hours=30)],
        }
        for field, operands in values.items():
            for operand in operands:
                for operator in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte"):
                    yield {field: {operator: operand}}
            for operator in ("$in", "$nin"):
                yield {field: {operator: operands}}
            yield {field: {"$exists": False}}

    def clause(self) -> Document:
        draw = self.draw
        above_or_below = draw.choice(["$gt", "$gte", "$lt", "$lte"])
        choices: list[Callable[[], Document]] = [
            lambda: {"status": draw.choice(STATUSES)},
            lambda: {"status": {"$in": draw.sample(STATUSES, draw.randrange(4))}},
            lambda: {"status": {draw.choice(["$ne", "$gte", "$lt"]): draw.choice(STATUSES)}},
            lambda: {"kind": draw.choice(KINDS)},
            lambda: {"kind": {draw.choice(["$in", "$nin"]): draw.sample(KINDS, 2)}},
            lambda: {"created_at": {above_or_below: self.moment()}},
            lambda: {"created_at": {"$gte": self.moment(), "$lt": self.moment()}},
            lambda: {"created_at": self.moment()},
            lambda: {"lease_until": draw.choice([None, {"$lte": self.moment()}, {"$ne": None}])},
            lambda: {"number": draw.choice([None, draw.randrange(50), {"$in": [3, 4.0, None]}])},
            lambda: {"number": {above_or_below: draw.choice([draw.randrange(50), 7.5])}},
            lambda: {"mixed": draw.choice(MIXED)},
            lambda: {"mixed": {above_or_below: draw.choice(MIXED)}},
            lambda: {"mixed": {draw.choice(["$in", "$nin"]): draw.sample(MIXED, 3)}},
            lambda: {"mixed": {"$ne": draw.choice(MIXED)}},
            lambda: {"tags": draw.choice(["p", ["p"], [], {"$in": ["q", "r"]}, {"$ne": "p"}])},
            lambda: {"tags": draw.choice([{"$size": 1}, {"$all": ["p", "q"]}])},
            lambda: {"seldom": draw.choice([1, 7, {"$gt": 1}, [1, 2], {"$ne": 2}])},
            lambda: {"nested.n": draw.choice([draw.randrange(5), {"$lt": 3}, None])},
            lambda: {"nested.word": draw.choice(["a", None, {"$gt": "a"}, {"$regex": "^a"}])},
            lambda: {"nested": draw.choice([None, {"n": 1, "word": "a"}])},
            lambda: {"deleted_at": draw.choice([None, {"$exists": draw.random() < 0.5}])},
            lambda: {draw.choice(["kind", "mixed"]): {"$exists": draw.random() < 0.5}},
            lambda: {"word": draw.choice(["a", {"$gt": "a"}, {"$not": {"$lt": "ab"}}])},
            lambda: {"tries": draw.choice([1, {"$lt": 3}, {"$type": "int"}, {"$mod": [2, 0]}])},
            lambda: {"_id": draw.choice([self.key(), {"$gt": self.key()}, {"$lte": self.key()}])},
            lambda: {"_id": {draw.choice(["$in", "$nin"]): [self.key() for _ in range(6)]}},
            lambda: {"url_key": draw.choice([self.url_key(), {"$in": [self.url_key(), "k7"]}])},
            self.page,
        ]
        return draw.choice(choices)()

    def key(self) -> int | str:
        number = self.draw.randrange(260)
        return number if self.draw.random() < 0.7 else f"n{number}"

    def url_key(self) -> str:
        return f"k{self.draw.randrange(260)}"

    def page(self) -> Document:
        """What comes after a place in the list of all documents by age."""
        moment, side = self.moment(), self.draw.choice(["$gt", "$lt"])
        same = {"created_at": moment, "_id": {side: self.key()}}
        return {"$or": [{"created_at": {side: moment}}, same]}

    def filter(self, depth: int = 0) -> Document:
        found: Document = {}
        for _ in range(self.draw.choice([0, 1, 1, 1, 1, 2, 2, 3])):
            found.update(self.clause())
        if depth < 2 and self.draw.random() < 0.3:
            operator = self.draw.choice(["$and", "$or", "$or", "$nor"])
            parts = [self.filter(depth + 1) or self.clause() for _ in range(1 + depth)]
            found[operator] = [*parts, self.clause()]
        return found

    def sort(self) -> list[tuple[str, int]]:
        """One that leaves no two documents in any order."""
        fields = ["created_at", "status", "kind", "number", "mixed", "nested.n", "lease_until"]
        draw = self.draw
        same = draw.choice([1, -1])
        usual: list[list[tuple[str, int]]] = [
            [("created_at", same)],
            [("created_at", same)],
            [("status", same), ("created_at", same)],
            [("mixed", same)],
            [("number", -same), ("status", same)],
            [(field, draw.choice([1, -1])) for field in draw.sample(fields, 2)],
            [],
        ]
        return [*draw.choice(usual), ("_id", same)]

    def change(self) -> Document:
        """An update that succeeds on every document."""
        draw = self.draw
        return draw.choice(
            [
                {"$set": {"status": draw.choice(STATUSES), "lease_until": self.moment()}},
                {"$set": {"mixed": draw.choice(MIXED)}, "$inc": {"tries": 1}},
                {"$unset": {"kind": ""}, "$push": {"tags": "s"}},
                {"$set": {"created_at": self.moment(), "nested.n": draw.randrange(5)}},
                {"$set": {"kind": draw.choice(KINDS), "seldom": draw.choice([3, 3, 3, [4]])}},
                {"$unset": {"deleted_at": ""}, "$set": {"number": draw.randrange(50)}},
            ]
        )
