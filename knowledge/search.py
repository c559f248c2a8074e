"""Finds what a business's assistant knows about a question."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from runtime.idf_rank import Corpus, Ranking, terms_of
from runtime.row_security.scope import all_businesses
from runtime.words import query_words

from .indexing import lexeme
from .models import Chunk, Source

BEST = 5  # how many passages the assistant is shown
DEEP = 30  # how many of each ranking are fused
RRF_K = 60  # https://plg.uwaterloo.ca/~gvcormac/cormacksigir09-rrf.pdf
# A question is known from this coverage on. Of CLINC150, 9 of 10 known questions reach it, and 1 of 2 unknown ones.
KNOWN = 0.3
KNOWN_TOGETHER = 0.45  # with the message before it, whose words are likely to be known
SHORT = 6  # words; a message with no more of them may be a follow-up, such as "and for 12 people?"

_ROWS = "(SELECT id, words, length FROM knowledge_chunks WHERE source_id <> ALL (%(unused)s::bigint[]))"
_SIZE = """SELECT count(*), avg(length) FROM knowledge_chunks
    WHERE tenant_id = %(tenant)s AND source_id <> ALL (%(unused)s::bigint[])"""
_COUNTS = "SELECT term, chunks FROM knowledge_frequent_terms WHERE tenant_id = %(tenant)s"


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a source, as the assistant is shown it. link: for customers; "" if there's none."""

    chunk_id: int
    source_id: int
    kind: str
    title: str  # of the source
    name: str  # the title, and the headings above the text
    text: str
    link: str

    @classmethod
    def of(cls, chunk: Chunk) -> "Passage":
        source = chunk.source
        name = " > ".join(filter(None, [str(source), chunk.heading]))
        return cls(chunk.pk, source.pk, source.kind, str(source), name, chunk.text, source.link)


@dataclass(frozen=True, slots=True)
class Results:
    """The best passages first. is_known: whether they're likely to answer the question."""

    passages: Sequence[Passage]
    is_known: bool


def shown(chunks: "QuerySet[Chunk]") -> "QuerySet[Chunk]":
    """Loads only what passages need of their sources, whose texts are long."""
    return chunks.select_related("source").defer("words", "source__text", "source__changes")


def everything(tenant_id: int) -> list[Passage]:
    """All that the assistant knows, in an order that stays the same."""
    sources = Source.objects.filter(tenant=tenant_id).in_use()
    chunks = shown(Chunk.objects.filter(tenant=tenant_id, source__in=sources))
    return [Passage.of(chunk) for chunk in chunks.order_by("source_id", "position")]


def find(tenant_id: int, question: str, previous: str = "", nearest: Sequence[int] = (), limit: int = BEST) -> Results:
    """The best passages for a question.

    previous: what the customer asked before; it's searched too if the question is a short one.
    nearest: the IDs of chunks that another search found, best first.
    """
    here = corpus(tenant_id)
    own = rank(here, tenant_id, question)
    rankings, is_known = [own], own.coverage >= KNOWN
    if previous and len(query_words(question)) <= SHORT:
        both = rank(here, tenant_id, f"{question}\n{previous}")
        rankings, is_known = [own, both], is_known or both.coverage >= KNOWN_TOGETHER
    ids = fused([*([found.id for found in ranking.found] for ranking in rankings), nearest])[:limit]
    chunks = shown(Chunk.objects.filter(tenant=tenant_id)).in_bulk(ids)
    return Results([Passage.of(chunks[pk]) for pk in ids if pk in chunks], is_known)


def fused(rankings: Iterable[Sequence[int]]) -> list[int]:
    """Reciprocal rank fusion: what is near the top of several rankings comes first."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ranking in rankings:
        for place, pk in enumerate(ranking, start=1):
            scores[pk] += 1 / (RRF_K + place)
    return sorted(scores, key=lambda pk: (-scores[pk], pk))


def unused(tenant_id: int) -> list[int]:
    """The IDs of the sources that are switched off or have expired."""
    sources = Source.objects.filter(tenant=tenant_id)
    return list(sources.exclude(pk__in=sources.in_use()).values_list("pk", flat=True))


def corpus(tenant_id: int) -> Corpus:
    """What the assistant knows now."""
    return Corpus(_ROWS, _SIZE, _COUNTS, parameters={"tenant": tenant_id, "unused": unused(tenant_id)})


def rank(corpus: Corpus, tenant_id: int, text: str) -> Ranking:
    """The best chunks for the words of a text."""
    with all_businesses():  # row-level security rules out the word index; the terms name the business
        return corpus.rank(terms_of(query_words(text), lexeme(tenant_id, "")), DEEP)
