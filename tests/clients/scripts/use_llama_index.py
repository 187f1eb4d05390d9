"""LlamaIndex' vector store on MongoDB: python use_llama_index.py URI"""

from __future__ import annotations

import sys
from typing import Any

from common import report
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)
from llama_index.vector_stores.mongodb import MongoDBAtlasVectorSearch
from pymongo import AsyncMongoClient, MongoClient

TEXTS = ["a calm sea", "the light", "a light house", "its keepers"]


def vector(text: str) -> list[float]:
    """The counts of four letters."""
    return [0.1 + text.count(letter) for letter in "aegs"]


client: MongoClient[Any] = MongoClient(sys.argv[1])
store = MongoDBAtlasVectorSearch(
    client,
    AsyncMongoClient(sys.argv[1]),
    db_name="clients",
    collection_name="llama",
    vector_index_name="near",
    fulltext_index_name="words",
)
nodes = [
    TextNode(
        text=text,
        embedding=vector(text),
        metadata={"kind": text[0]},
        relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"thing {n}")},
    )
    for n, text in enumerate(TEXTS)
]


def create() -> None:
    store.create_vector_search_index(
        4, "embedding", "cosine", filters=["metadata.kind"], wait_until_complete=60
    )
    store.create_fulltext_search_index("text", "string", wait_until_complete=60)


def ask(text: str, mode: VectorStoreQueryMode, **options: Any) -> list[str]:
    query = VectorStoreQuery(
        query_embedding=vector(text),
        query_str=text,
        mode=mode,
        similarity_top_k=2,
        hybrid_top_k=2,
        sparse_top_k=2,
        alpha=0.5,
        **options,
    )
    return [node.get_content() for node in store.query(query).nodes or ()]


KIND = MetadataFilters(filters=[MetadataFilter(key="kind", value="i")])
report(
    {
        "create indexes": create,
        "add": lambda: len(store.add(nodes)),
        "vector query": lambda: ask("a light house", VectorStoreQueryMode.DEFAULT)[0],
        "with a filter": lambda: ask("the light", VectorStoreQueryMode.DEFAULT, filters=KIND),
        "text query": lambda: sorted(ask("light", VectorStoreQueryMode.TEXT_SEARCH)),
        "hybrid query": lambda: ask("a light house", VectorStoreQueryMode.HYBRID),
        "delete": lambda: store.delete("thing 2"),
        "query after it": lambda: (
            "a light house" in ask("a light house", VectorStoreQueryMode.DEFAULT)
        ),
    }
)
client.close()
