"""Searches by meaning, where the assistant has an embedding model and the database has pgvector.

It's an addition: if anything fails here, the search by words continues alone.
"""

import asyncio
import logging

from procrastinate.contrib.django import app

from assistant.model import client
from assistant.model.errors import ModelFailed
from assistant.models import Assistant
from assistant.turns import policy
from knowledge import search, vectors
from knowledge.models import Chunk
from knowledge.search import DEEP, Passage
from runtime import jobs
from runtime.database import database_sync_to_async
from runtime.jobs import every

logger = logging.getLogger(__name__)

QUERY_SECONDS = 4.0  # an answer doesn't wait longer for it
BATCH_SECONDS = 30.0
BATCH = 32  # chunks per request
LONGEST_QUERY = 2_000  # characters
RETRY_SECONDS = 300  # after a failure
EMBED = "assistant.knowing.vectors.embed"


async def nearest(assistant: Assistant, text: str) -> list[int]:
    """The IDs of the chunks nearest to a text, best first; none if that can't be found out."""
    if not assistant.embedding_model or assistant.tenant_id is None:
        return []
    if not await database_sync_to_async(vectors.has_any)(assistant.tenant_id, space_of(assistant)):
        return []
    try:
        async with asyncio.timeout(QUERY_SECONDS):
            answer = await client.embed([text[:LONGEST_QUERY]], assistant, QUERY_SECONDS)
    except TimeoutError:
        logger.warning("[AI] the embedding model took longer than %g s; searching by words", QUERY_SECONDS)
        return []
    except ModelFailed as failure:
        logger.warning("[AI] %s; searching by words", failure)
        return []
    await database_sync_to_async(policy.add_tokens)(assistant.tenant_id, answer.tokens)
    vector = answer.vectors[0]
    return await database_sync_to_async(vectors.nearest)(assistant.tenant_id, space_of(assistant), vector, DEEP)


def space_of(assistant: Assistant) -> str:
    """Which vectors can be compared: those of the same model at the same endpoint."""
    return vectors.space(assistant.embedding_model, assistant.endpoint)


@app.task(queue="knowledge")
async def embed(tenant_id: int) -> None:
    """Embed a business's chunks that have no vector of its present model. Safe to run twice."""
    try:
        while await _embed_some(tenant_id) == BATCH:
            pass
    except ModelFailed as failure:
        logger.warning("[AI] business %s: its knowledge couldn't be embedded: %s", tenant_id, failure)
        # Until then, it counts as pending, so `find_missing` doesn't ask either.
        await app.configure_task(EMBED, schedule_in={"seconds": RETRY_SECONDS}).defer_async(tenant_id=tenant_id)


async def _embed_some(tenant_id: int) -> int:
    """Embed the next chunks. How many: fewer than `BATCH` if none are left."""
    assistant, chunks = await database_sync_to_async(_next)(tenant_id)
    if assistant is None or not chunks:
        return 0
    space, texts = space_of(assistant), [f"{Passage.of(chunk).name}\n{chunk.text}" for chunk in chunks]
    answer = await client.embed(texts, assistant, BATCH_SECONDS)
    await database_sync_to_async(policy.add_tokens)(tenant_id, answer.tokens)
    found = {chunk.pk: vector for chunk, vector in zip(chunks, answer.vectors, strict=True)}
    await database_sync_to_async(vectors.store)(space, found)
    return len(chunks)


def _next(tenant_id: int) -> tuple[Assistant | None, list[Chunk]]:
    assistant = Assistant.objects.filter(tenant=tenant_id).exclude(embedding_model="").first()
    if assistant is None or policy.is_over_budget(assistant, policy.tokens_today(tenant_id)):
        return None, []
    missing = search.shown(vectors.missing(tenant_id, space_of(assistant)))
    return assistant, list(missing[:BATCH])


@every(10)
def find_missing() -> int:
    """Defer jobs for the businesses with chunks that lack vectors: new ones, or all of them after a change of model."""
    if not vectors.is_enabled():
        return 0
    found = [
        assistant.tenant_id
        for assistant in Assistant.objects.exclude(embedding_model="").filter(tenant__is_active=True)
        if vectors.missing(assistant.tenant_id, space_of(assistant)).exists()
        and not policy.is_over_budget(assistant, policy.tokens_today(assistant.tenant_id))
        and not jobs.is_pending(EMBED, tenant_id=assistant.tenant_id)
    ]
    jobs.defer(EMBED, *({"tenant_id": tenant_id} for tenant_id in found))
    return 0
