"""Ranks rows by the words of a question, as BM25 does: rare words count more, and so do short rows.

It's plain PostgreSQL, and needs no language. `ts_rank` of one word grows with how often a row has it, and counting the
rows that have it says how rare it is. The rarest words decide which rows are looked at, so the words that nearly every
row has cost little. Other forms of a word are found by how they begin.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import connection

from runtime.words import quoted

MOST_WORDS = 200  # of a question
FEW = 50  # rows; fewer say little about how well a word is known
MOST_ROWS = 1_000  # that have one of the words which decide, unless the rarest word alone is in more
MOST_CANDIDATES = 100
# Most languages put their endings last: in 5 letters, "ordered" is "orders". It counts half of the word itself.
STEM, LEAST_STEM, WORTH_OF_STEM = 5, 4, 0.5

Parameter = str | int | list[str] | list[int] | list[float]


class Term(NamedTuple):
    """A tsquery, and how much it counts."""

    query: str
    worth: float


def terms_of(words: Iterable[str], prefix: str = "") -> list[Term]:
    """What to search for these words. prefix: what the lexemes of the scope begin with."""
    terms: dict[str, float] = {}
    for word in list(dict.fromkeys(words))[:MOST_WORDS]:
        terms.setdefault(quoted(prefix + word), 1.0)
        if len(word) >= LEAST_STEM and any(map(str.isalpha, word)):
            terms.setdefault(f"{quoted(prefix + word[:STEM])}:*", WORTH_OF_STEM)
    return [Term(query, worth) for query, worth in terms.items()]


class Found(NamedTuple):
    id: int
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """The best rows first. coverage: how much of the question the best one has, by its words' weight: 0 to about 1."""

    found: Sequence[Found]
    coverage: float


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is ranked, in SQL.

    rows: a table, a CTE or a subquery in parentheses, with the columns id, words (a tsvector with positions) and length
    (in words). size: a SELECT of the number of its rows and their mean length. counts: a SELECT of terms whose rows
    were counted before, and about how many they are. parameters: those that are named in all of these.
    """

    rows: str
    size: str
    counts: str = "SELECT '', 0 WHERE false"
    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    def rank(self, terms: Sequence[Term], limit: int) -> Ranking:
        """The best rows for these terms."""
        given: dict[str, Parameter] = {
            **self.parameters,
            "queries": [term.query for term in terms],
            "worths": [term.worth for term in terms],
            "few": FEW,
            "most_rows": MOST_ROWS,
            "most_candidates": MOST_CANDIDATES,
            "limit": limit,
        }
        with connection.cursor() as cursor:
            cursor.execute(_RANK.format(rows=self.rows, size=self.size, counts=self.counts), given)
            rows = cursor.fetchall()
        return Ranking([Found(pk, score) for pk, score, _ in rows], rows[0][2] if rows else 0.0)


# BM25 with its usual constants. ts_rank is 0.6079 where a row has the word once. OFFSET 0: it isn't computed twice.
_SCORES = "sum(w.weight * has.score) AS score, sum(w.known * has.score) AS known"
_HAS = """
    CROSS JOIN LATERAL (SELECT ts_rank('{{1,1,1,1}}', r.words, w.query) / 0.6079 AS often OFFSET 0) AS t
    CROSS JOIN LATERAL (
        SELECT 2.2 * often / (often + 1.2 * (0.25 + 0.75 * r.length / w.mean_length)) AS score OFFSET 0) AS has
"""
_RANK = f"""
WITH counted AS MATERIALIZED (
    SELECT t.query::tsquery, t.worth,
        COALESCE(known.found, (SELECT count(*) FROM {{rows}} AS r WHERE r.words @@ t.query::tsquery)) AS found
    FROM unnest(%(queries)s::text[], %(worths)s::float[]) AS t(query, worth)
    LEFT JOIN ({{counts}}) AS known(term, found) ON known.term = t.query
), weighed AS MATERIALIZED (
    SELECT query, GREATEST(size.mean_length, 1)::float AS mean_length,
        worth * ln((GREATEST(size.n, found) + 1) / (found + 0.5)::float) AS weight,
        worth * ln((GREATEST(size.n, found, %(few)s) + 1) / (found + 0.5)::float) AS known,
        found > 0 AND (sum(found) OVER rarest <= %(most_rows)s OR row_number() OVER rarest = 1) AS decides
    FROM counted CROSS JOIN ({{size}}) AS size(n, mean_length)
    WINDOW rarest AS (ORDER BY found = 0, found, query::text)
), candidates AS MATERIALIZED (
    SELECT r.id, {_SCORES} FROM weighed w
    CROSS JOIN LATERAL (SELECT id, words, length FROM {{rows}} AS s WHERE s.words @@ w.query) AS r {_HAS}
    WHERE w.decides GROUP BY r.id ORDER BY score DESC, r.id LIMIT %(most_candidates)s
)
SELECT c.id, c.score + COALESCE(rest.score, 0), (c.known + COALESCE(rest.known, 0)) / NULLIF(reach.able, 0)
FROM candidates c
CROSS JOIN (SELECT sum(known) FROM weighed) AS reach(able)
CROSS JOIN LATERAL (  -- the words of a row are long: || loads them once for all terms
    SELECT words || ''::tsvector AS words, length FROM {{rows}} AS s WHERE s.id = c.id OFFSET 0) AS r
CROSS JOIN LATERAL (SELECT {_SCORES} FROM weighed w {_HAS} WHERE NOT w.decides) AS rest
ORDER BY 2 DESC, c.id LIMIT %(limit)s
"""  # noqa: S608 - the fragments are ours
