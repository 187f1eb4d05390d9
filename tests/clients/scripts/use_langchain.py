"""LangChain's integration of MongoDB: python use_langchain.py URI"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from common import report
from langchain_core.embeddings import Embeddings
from langchain_mongodb import MongoDBAtlasVectorSearch
from langchain_mongodb.retrievers import (
    MongoDBAtlasFullTextSearchRetriever,
    MongoDBAtlasHybridSearchRetriever,
)
from pymongo import MongoClient

TEXTS = ["a calm sea", "the light", "a light house", "its keepers"]


class Lengths(Embeddings):
    """A vector of the counts of four letters."""

    def embed_query(self, text: str) -> list[float]:
        return [0.1 + text.count(letter) for letter in "aegs"]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


client: MongoClient[Any] = MongoClient(sys.argv[1])
collection = client.clients.create_collection("langchain")
store = MongoDBAtlasVectorSearch(collection, Lengths(), index_name="near")


def texts(documents: list[Any]) -> list[str]:
    return [document.page_content for document in documents]


def create() -> None:
    store.create_vector_search_index(dimensions=4, filters=["kind"], wait_until_complete=60)


def full_text() -> list[str]:
    retriever = MongoDBAtlasFullTextSearchRetriever(
        collection=collection, search_index_name="words", search_field="text", k=2
    )
    return sorted(texts(retriever.invoke("light")))


def hybrid() -> list[str]:
    retriever = MongoDBAtlasHybridSearchRetriever(
        vectorstore=store, search_index_name="words", k=2, auto_index_timeout=60
    )
    return texts(retriever.invoke("a light house"))


operations: dict[str, Callable[[], Any]] = {
    "create an index": create,
    "add texts": lambda: len(store.add_texts(TEXTS, [{"kind": text[0]} for text in TEXTS])),
    "similarity search": lambda: texts(store.similarity_search("a light house", k=1)),
    "with scores": lambda: round(store.similarity_search_with_score("the light", k=1)[0][1], 3),
    "with a filter": lambda: texts(
        store.similarity_search("the light", k=3, pre_filter={"kind": {"$eq": "a"}})
    ),
    "maximal marginal relevance": lambda: len(
        store.max_marginal_relevance_search("the light", k=2)
    ),
    "hybrid retriever": hybrid,
    "full-text retriever": full_text,
    "delete": lambda: store.delete(
        [str(one["_id"]) for one in collection.find({"text": "the light"})]
    ),
    "search after it": lambda: "the light" in texts(store.similarity_search("the light", k=4)),
}
report(operations)
client.close()
