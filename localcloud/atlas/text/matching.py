"""Turns operators into queries of a tantivy index.

tantivy's BM25 has Lucene's constants (k1 = 1.2, b = 0.75) and a factor of k1 + 1 that Lucene has
dropped. So every score inside the index is UNIT times the score outside: stage.py divides by
UNIT, and constant scores are multiplied by it here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import partial

from tantivy import Occur, Query, Searcher, SearchResult

from localcloud.atlas.clauses import Clauses
from localcloud.atlas.text import analyzers, edits, values
from localcloud.atlas.text.documents import OTHERS, PATHS, VALUES, escape_date
from localcloud.atlas.text.mappings import Completion, SearchDefinition
from localcloud.atlas.text.operator_types import (
    Autocomplete,
    Compound,
    Exists,
    Fuzzy,
    In,
    Operator,
    Path,
    Phrase,
    Range,
    Score,
    Text,
    Wildcard,
)
from localcloud.atlas.text.store import TextStore
from localcloud.atlas.wire.errors import QueryError

UNIT = 2.2
# The wildcards as regular expressions.
_ANY = {"*": ".*", "?": "."}
# The terms of a phrase with their distances from the first, and the slop of the phrase.
Words = tuple[tuple[tuple[int, str], ...], int]


class Matcher:
    """Builds queries for one snapshot of a store."""

    def __init__(self, store: TextStore, searcher: Searcher) -> None:
        self._store = store
        self._searcher = searcher
        self._schema = store.schema
        self.definition: SearchDefinition = store.definition
        self._clauses = Clauses()
        self._near: dict[tuple[str, str, Fuzzy], list[tuple[float, str]]] = {}

    def query(self, operator: Operator) -> Query:
        """Raises QueryError for an operator that the index's definition does not allow, and when
        the operators so far have too many clauses."""
        match operator:
            case Text():
                return _scored(self._text(operator), operator.score)
            case Phrase():
                return _scored(self._phrase(operator), operator.score)
            case Wildcard():
                return _constant(self._wildcard(operator), operator.score)
            case Autocomplete():
                return _scored(self._autocomplete(operator), operator.score)
            case In():
                return _constant(self._terms(self._in(operator)), operator.score)
            case Range():
                self._clauses.add_set(operator.kind, len(operator.paths))
                return _constant(self._terms(_covering(operator)), operator.score)
            case Exists():
                self._clauses.add()
                found = Query.term_query(self._schema, PATHS, operator.path, "basic")
                return _constant(found, operator.score)
            case Compound():
                return _scored(self._compound(operator), operator.score)

    def _compound(self, operator: Compound) -> Query:
        clauses = [
            *((Occur.Must, self.query(one)) for one in operator.must),
            *((Occur.Should, self.query(one)) for one in operator.should),
            *((Occur.Must, Query.const_score_query(self.query(o), 0.0)) for o in operator.filter),
        ]
        if not clauses:
            clauses = [(Occur.Must, Query.const_score_query(Query.all_query(), 0.0))]
        clauses += [(Occur.MustNot, self.query(one)) for one in operator.must_not]
        return Query.boolean_query(clauses, operator.minimum or None)

    # Strings

    def _text(self, operator: Text) -> Query:
        alternatives: list[Query] = []
        for path, text in self._pairs(operator):
            field = self._field(path)
            words = [term for _, term in self._analyzed(path, text)]
            self._clauses.add_words(words)
            if operator.fuzzy is None:
                terms = [self._term(field, word) for word in words]
            else:
                terms = [self._fuzzy(field, word, operator.fuzzy) for word in words]
            alternatives += [_every(terms)] if operator.every and terms else terms
        return _any(alternatives)

    def _term(self, field: str, term: str) -> Query:
        return Query.term_query(self._schema, field, escape_date(term), "freq")

    def _fuzzy(self, field: str, word: str, fuzzy: Fuzzy) -> Query:
        """Lucene's score of a near word has its nearness as a factor; here it has that alone."""
        return _any(
            [
                Query.const_score_query(self._term(field, term), UNIT * nearness)
                for nearness, term in self._near_terms(field, word, fuzzy)
            ]
        )

    def _near_terms(self, field: str, word: str, fuzzy: Fuzzy) -> list[tuple[float, str]]:
        """The words of the index that count as this one, each behind its nearness, at most 1."""
        key = (field, word, fuzzy)
        if key not in self._near:
            if field.startswith(OTHERS):
                raise QueryError('"text.fuzzy" needs a field that the index names, on this server')
            known = self._searcher.terms_with_prefix(field, word[: fuzzy.prefix])
            found = edits.nearest(word, [term for term, _ in known], fuzzy.edits)
            near = [(1 - count / min(len(word), len(term)), term) for count, term in found]
            self._near[key] = [each for each in near if each[0] > 0][: fuzzy.expansions]
        return self._near[key]

    def _autocomplete(self, operator: Autocomplete) -> Query:
        """Words that the path has as strings too score more."""
        path, name = operator.path, self._store.completion_field(operator.path)
        field = self._store.definition.at(path)
        if name is None or field is None or field.completion is None:
            raise QueryError(f"autocomplete index field definition not present at path {path}")
        found = []
        for query in operator.queries:
            words = [term for _, term in analyzers.terms(analyzers.COMPLETION, query)]
            self._clauses.add_words(words)
            if len(words) > 1:
                found.append(Query.phrase_prefix_query(self._schema, name, [*words]))
            if len(words) == 1 or not operator.sequential:
                found += [self._beginning(name, word, field.completion) for word in words]
        if field.string is None:
            return _any(found)
        exact = self._text(Text((Path(path),), operator.queries, every=False, score=Score()))
        return Query.boolean_query([(Occur.Must, _any(found)), (Occur.Should, exact)])

    def _beginning(self, field: str, word: str, completion: Completion) -> Query:
        """Words that begin with this one; a shorter one than the index keeps is found whole."""
        if len(word) < completion.least:
            return Query.term_query(self._schema, field, word, "freq")
        begins = re.escape(word[: completion.most])
        return Query.regex_query(self._schema, field, f"{begins}.*")

    def _wildcard(self, operator: Wildcard) -> Query:
        patterns = self._patterns(operator)
        self._clauses.add(len(patterns))
        return _any([Query.regex_query(self._schema, *each) for each in patterns])

    def _patterns(self, operator: Wildcard) -> list[tuple[str, str]]:
        """Every field with every query as a regular expression of its terms."""
        named = [one.name for one in operator.paths if not one.is_pattern]
        found = []
        for path in dict.fromkeys([*named, *self.resolve(operator.paths)]):
            analyzer = self._analyzer(path)
            if analyzer != "lucene.keyword" and not operator.analyzed:
                raise QueryError(
                    f"Field {path} is analyzed. Use a keyword analyzed field or set"
                    " allowAnalyzedField to true."
                )
            field = self._field(path)
            if field.startswith(OTHERS):
                raise QueryError('"wildcard" needs a field that the index names, on this server')
            queries = [analyzers.normalize(analyzer, query) for query in operator.queries]
            found += [(field, _wildcard_pattern(query)) for query in queries if field]
        return found

    def _analyzer(self, path: str) -> str:
        """The name of the analyzer of queries at a path."""
        field = self.definition.at(path)
        string = self.definition.default if field is None else field.string
        return (string or self.definition.default).search

    def _phrase(self, operator: Phrase) -> Query:
        found = []
        for path, text in self._pairs(operator):
            words = _distances(self._analyzed(path, text))
            self._clauses.add()
            field = self._field(path)
            if len(words) == 1:
                found.append(self._term(field, words[0][1]))
            elif words:
                found.append(Query.phrase_query(self._schema, field, list(words), operator.slop))
        return _any(found)

    def _pairs(self, operator: Text | Phrase) -> list[tuple[str, str]]:
        """Every indexed path paired with every query."""
        paths = self.resolve(operator.paths)
        return [(path, query) for query in operator.queries for path in paths]

    def resolve(self, paths: Iterable[Path]) -> list[str]:
        """The paths that are indexed as strings, with wildcards expanded, each path once."""
        found: dict[str, None] = {}
        for path in paths:
            names = self._expand(path.name) if path.is_pattern else [path.name]
            found.update((name, None) for name in names if self._store.string_field(name))
        return list(found)

    def _expand(self, pattern: str) -> list[str]:
        wanted = re.compile(".*".join(re.escape(part) for part in pattern.split("*")))
        known = self._searcher.terms_with_prefix(PATHS, "")
        return sorted(name for name, _ in known if wanted.fullmatch(name))

    def _field(self, path: str) -> str:
        return self._store.string_field(path) or ""

    def _analyzed(self, path: str, text: str) -> list[tuple[int, str]]:
        field = self._store.definition.at(path)
        if field is None or field.string is None:
            return []
        return analyzers.terms(field.string.search, text)

    # Exact values

    def _in(self, operator: In) -> list[str]:
        found = []
        for path in operator.paths:
            field = self._store.definition.at(path)
            if operator.kind == "token" and (field is None or "token" not in field.types):
                raise QueryError(f"Path '{path}' needs to be indexed as token")
            self._clauses.add_set(operator.kind, len(operator.values))
            found += [values.exact(path, operator.kind, one, field) for one in operator.values]
        return found

    def _terms(self, terms: Sequence[str]) -> Query:
        if len(terms) == 1:
            return Query.term_query(self._schema, VALUES, terms[0], "basic")
        return Query.term_set_query(self._schema, VALUES, terms) if terms else Query.empty_query()

    # Facets

    def count_values(self, query: Query, beginning: str) -> list[tuple[str, int]]:
        """The exact values that begin so, each with the number of its documents in the query."""
        return self._searcher.terms_with_prefix(VALUES, beginning, query)

    def count_with(self, query: Query, terms: Sequence[str]) -> int:
        """The number of documents in the query that have one of the exact values."""
        both = Query.boolean_query([(Occur.Must, query), (Occur.Must, self._terms(terms))])
        return count_of(self._searcher.search(both, 1, count=True))

    # Highlights

    def highlighted(self, operator: Operator) -> tuple[set[str], list[Words]]:
        """The terms and the phrases to highlight, in whatever path they were searched.

        `mustNot` clauses contribute nothing.
        """
        words: set[str] = set()
        phrases: list[Words] = []
        match operator:
            case Text():
                for path, text in self._pairs(operator):
                    terms = [term for _, term in self._analyzed(path, text)]
                    if operator.fuzzy is not None:
                        near = partial(self._near_terms, self._field(path), fuzzy=operator.fuzzy)
                        terms = [found for term in terms for _, found in near(term)]
                    words.update(terms)
            case Wildcard():
                for field, pattern in self._patterns(operator):
                    known = self._searcher.terms_with_prefix(field, "")
                    words.update(term for term, _ in known if re.fullmatch(pattern, term))
            case Phrase():
                for path, text in self._pairs(operator):
                    phrase = _distances(self._analyzed(path, text))
                    if phrase:
                        phrases.append((phrase, operator.slop))
            case Compound():
                for inner in operator.must + operator.should + operator.filter:
                    inner_words, inner_phrases = self.highlighted(inner)
                    words |= inner_words
                    phrases += inner_phrases
        return words, phrases


def count_of(result: SearchResult) -> int:
    """The number of matches. tantivy's type stubs lack the attribute."""
    return int(result.count)  # type: ignore[attr-defined]


def _wildcard_pattern(query: str) -> str:
    """The regular expression of a wildcard query. A backslash makes the next character plain."""
    parts = re.findall(r"\\.|\\$|[^\\]", query, re.DOTALL)
    return "(?s)" + "".join(_ANY.get(part) or re.escape(part[-1]) for part in parts)


def _distances(terms: Sequence[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    return tuple((position - terms[0][0], term) for position, term in terms)


def _covering(operator: Range) -> list[str]:
    low, high = 0, (1 << 64) - 1
    if operator.low is not None:
        bound, included = operator.low
        low = values.sortable(bound) + (not included)
    if operator.high is not None:
        bound, included = operator.high
        high = values.sortable(bound) - (not included)
    found = (values.covering(path, operator.kind, low, high) for path in operator.paths)
    return [term for terms in found for term in terms]


def _any(queries: Sequence[Query]) -> Query:
    if len(queries) == 1:
        return queries[0]
    return Query.boolean_query([(Occur.Should, one) for one in queries])


def _every(queries: Sequence[Query]) -> Query:
    return Query.boolean_query([(Occur.Must, one) for one in queries])


def _scored(query: Query, score: Score) -> Query:
    if score.constant is not None:
        return Query.const_score_query(query, UNIT * score.constant)
    return query if score.boost == 1 else Query.boost_query(query, score.boost)


def _constant(query: Query, score: Score) -> Query:
    value = score.boost if score.constant is None else score.constant
    return Query.const_score_query(query, UNIT * value)
