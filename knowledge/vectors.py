"""Searches chunks by their vectors, if the database has pgvector."""

import hashlib
from collections.abc import Mapping, Sequence

from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from runtime.idf_rank import Parameter

from .models import Chunk, ChunkVector
from .search import unused

_AVAILABLE = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')"
_ENABLED = """SELECT EXISTS (SELECT FROM pg_attribute
    WHERE attrelid = to_regclass('knowledge_vectors') AND attname = 'vector' AND NOT attisdropped)"""


def is_enabled() -> bool:
    return bool(_one(_ENABLED))


def enable() -> str:
    """Prepare the database for vectors, if it has pgvector. Returns why it can't, or ''. Safe to repeat."""
    if is_enabled():
        return ""
    if not _one(_AVAILABLE):
        return "PostgreSQL has no pgvector. Install it on the database server, and run this again."
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
            cursor.execute("ALTER TABLE knowledge_vectors ADD COLUMN IF NOT EXISTS vector vector")
    except DatabaseError as error:
        return f"PostgreSQL refused: {str(error).splitlines()[0]}. Run “CREATE EXTENSION vector” as a superuser."
    return ""


def space(model: str, endpoint: str) -> str:
    """The space of a model's vectors. The same name may stand for another model at another endpoint."""
    return hashlib.sha256(f"{model}\0{endpoint}".encode()).hexdigest()


def has_any(tenant_id: int, space: str) -> bool:
    return ChunkVector.objects.filter(tenant=tenant_id, space=space).exists() and is_enabled()


_NEAREST = """
SELECT v.chunk_id FROM knowledge_vectors v JOIN knowledge_chunks c ON c.id = v.chunk_id
WHERE v.tenant_id = %(tenant)s AND v.space = %(space)s AND v.dimensions = %(dimensions)s
    AND v.vector IS NOT NULL AND c.source_id <> ALL (%(unused)s::bigint[])
ORDER BY v.vector <=> %(vector)s::vector, v.chunk_id LIMIT %(limit)s
"""


def nearest(tenant_id: int, space: str, vector: Sequence[float], limit: int) -> list[int]:
    """The IDs of the chunks in use whose vectors are nearest to this one."""
    given: dict[str, Parameter] = {
        "tenant": tenant_id,
        "space": space,
        "dimensions": len(vector),
        "unused": unused(tenant_id),
        "vector": _literal(vector),
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NEAREST, given)
        return [pk for (pk,) in cursor.fetchall()]


def missing(tenant_id: int, space: str) -> "QuerySet[Chunk]":
    """The chunks without a vector of this space, oldest first."""
    present = ChunkVector.objects.filter(tenant=tenant_id, space=space)
    return Chunk.objects.filter(tenant=tenant_id).exclude(pk__in=present.values("chunk_id")).order_by("pk")


_STORE = """
INSERT INTO knowledge_vectors (chunk_id, tenant_id, space, dimensions, vector)
SELECT c.id, c.tenant_id, %(space)s, %(dimensions)s, given.vector::vector
FROM unnest(%(ids)s::bigint[], %(vectors)s::text[]) AS given(id, vector)
JOIN knowledge_chunks c ON c.id = given.id ORDER BY c.id FOR KEY SHARE OF c
ON CONFLICT (chunk_id) DO UPDATE
    SET space = EXCLUDED.space, dimensions = EXCLUDED.dimensions, vector = EXCLUDED.vector
"""


def store(space: str, vectors: Mapping[int, Sequence[float]]) -> None:
    """Store the vectors of these chunks, all of the same length. Chunks that no longer exist are left out."""
    given: dict[str, Parameter] = {
        "space": space,
        "dimensions": len(next(iter(vectors.values()))),
        "ids": list(vectors),
        "vectors": [_literal(vector) for vector in vectors.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(_STORE, given)


def _literal(vector: Sequence[float]) -> str:
    return f"[{','.join(f'{number:.7g}' for number in vector)}]"


def _one(query: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]
