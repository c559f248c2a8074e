"""Writes the chunks of sources."""

from dataclasses import dataclass

from django.conf import settings
from django.contrib.postgres.search import SearchVectorField
from django.db import connection, transaction
from django.db.models import Sum, Value
from django.db.models.functions import Cast

from runtime import idf_rank
from runtime.words import index_words, quoted
from tenants.models import Tenant

from .chunking import Piece, pieces_of
from .models import LONGEST_TITLE, Chunk, FrequentTerm, Source

BYTES_PER_TOKEN = 4  # roughly, in any script
LONGEST_WORD = 100  # characters; PostgreSQL allows 2 KB
BATCH = 200
LARGE = 500  # chunks; the words of fewer are counted by each search


class TooMuch(Exception):
    """The business would have more knowledge than can be searched quickly. The message says what to do."""


def lexeme(tenant_id: int, word: str) -> str:
    """A word as the column `words` has it. The business comes first, so that the index works like one per business."""
    return f"{tenant_id}:{word[:LONGEST_WORD]}"


def store_chunks(source: Source) -> None:
    """Replace the chunks of a source by those of its title and text. Raises TooMuch."""
    replace_chunks(source, chunks_of(source, source.title, source.text))


def chunks_of(source: Source, title: str, text: str) -> list[Chunk]:
    """The chunks that a source has with this title and text. They aren't stored yet."""
    chunks = []
    for position, piece in enumerate(pieces(source.kind, text)):
        heading = piece.heading[:LONGEST_TITLE]
        whole = "\n".join((title, heading, piece.text))
        words = index_words(whole)
        chunk = Chunk(
            tenant_id=source.tenant_id,
            source=source,
            position=position,
            heading=heading,
            text=piece.text,
            words=Cast(Value(_tsvector(source.tenant_id, words)), SearchVectorField()),
            length=len(words),
            tokens=tokens_of(whole),
        )
        chunks.append(chunk)
    return chunks


def pieces(kind: str, text: str) -> list[Piece]:
    return [Piece("", text)] if kind == Source.Kind.QUESTION else list(pieces_of(text))


def check_room(source: Source, chunks: int) -> None:
    """Raises TooMuch if the business would have too many chunks with this source."""
    others = Chunk.objects.filter(tenant=source.tenant_id).exclude(source=source.pk)
    if others.count() + chunks > settings.KNOWLEDGE_MAX_CHUNKS:
        raise TooMuch(
            f"This would exceed the limit of {settings.KNOWLEDGE_MAX_CHUNKS:,} chunks. "
            "Delete what the assistant doesn't need, or shorten this source."
        )


def replace_chunks(source: Source, chunks: list[Chunk]) -> None:
    """In one transaction, so that the source always has chunks. Raises TooMuch."""
    with transaction.atomic():
        # One source of a business at a time, so that the limit holds.
        Tenant.objects.select_for_update(no_key=True).get(pk=source.tenant_id)
        check_room(source, len(chunks))
        Chunk.objects.filter(source=source).delete()
        Chunk.objects.bulk_create(chunks, batch_size=BATCH)


def _tsvector(tenant_id: int, words: list[str]) -> str:
    """The words with their positions, in PostgreSQL's own notation: its parser would split some of them differently,
    depending on the database's locale."""
    positions: dict[str, list[int]] = {}
    for at, word in enumerate(words, start=1):
        positions.setdefault(lexeme(tenant_id, word), []).append(at)
    return " ".join(f"{quoted(word)}:{','.join(map(str, places))}" for word, places in positions.items())


_LARGE = """
SELECT c.tenant_id FROM knowledge_chunks c
LEFT JOIN knowledge_frequent_terms f ON f.tenant_id = c.tenant_id AND f.term = ''
GROUP BY c.tenant_id HAVING count(*) >= %s AND abs(count(*) - COALESCE(max(f.chunks), 0)) > count(*) / 10
LIMIT 10
"""
_COUNT = """
WITH size AS (SELECT count(*) AS n FROM knowledge_chunks WHERE tenant_id = %(tenant)s), removed AS (
    DELETE FROM knowledge_frequent_terms WHERE tenant_id = %(tenant)s
)
SELECT term, count(DISTINCT id) AS chunks FROM knowledge_chunks
CROSS JOIN LATERAL unnest(tsvector_to_array(words)) AS word
CROSS JOIN LATERAL (VALUES
    ('''' || word || ''''),
    ('''' || left(word, %(prefix)s + %(stem)s) || ''':*')) AS terms(term)
WHERE tenant_id = %(tenant)s GROUP BY term HAVING count(DISTINCT id) > (SELECT n / 20 FROM size)
UNION ALL SELECT '', n FROM size
"""


def count_frequent_terms() -> int:
    """Count the frequent words of large businesses whose knowledge has grown or shrunk. Returns their number.

    Every worker calls this. A business that another one is counting is left out.
    """
    done = 0
    with connection.cursor() as cursor:
        cursor.execute(_LARGE, [LARGE])
        for (tenant_id,) in cursor.fetchall():
            with transaction.atomic():
                cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('frequent terms'), %s)", [tenant_id])
                if cursor.fetchone() == (False,):
                    continue
                terms = {"tenant": tenant_id, "prefix": len(lexeme(tenant_id, "")), "stem": idf_rank.STEM}
                cursor.execute(_COUNT, terms)
                counted = [FrequentTerm(tenant_id=tenant_id, term=term, chunks=n) for term, n in cursor.fetchall()]
                FrequentTerm.objects.bulk_create(counted, batch_size=1_000, ignore_conflicts=True)
                done += 1
    return done


def tokens_of(text: str) -> int:
    """About how many tokens a model counts."""
    return len(text.encode()) // BYTES_PER_TOKEN + 1


@dataclass(frozen=True, slots=True)
class Meter:
    """Roughly how many tokens everything a business's assistant knows would add to a prompt, and the limit."""

    tokens: int
    limit: int

    @property
    def fits(self) -> bool:
        """Whether all of it goes into each prompt. Otherwise it's searched."""
        return self.tokens <= self.limit


def meter(tenant_id: int) -> Meter:
    used = Chunk.objects.filter(tenant=tenant_id, source__in=Source.objects.filter(tenant=tenant_id).in_use())
    return Meter(int(used.aggregate(total=Sum("tokens"))["total"] or 0), settings.KNOWLEDGE_PROMPT_TOKENS)
