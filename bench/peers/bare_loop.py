"""The floor for replies: a bare asyncio loop in place of Parley's worker, on the same tables and with the same calls.

Per reply three HTTP calls (typing mark, model, send) with aiohttp, and four batched statements: claim, close, claim
the outgoing messages, record. It has no fairness, retries, lost leases, checks or files.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import aiohttp
import psycopg_pool
import uvloop

SLOTS = 600
CLAIMED_AT_ONCE = 100
BATCH = 200
BATCH_SECONDS = 0.005  # how long a batch waits for more to join it
IDLE_SECONDS = 0.02
DATABASE = "postgresql" + os.environ["BENCH_DATABASE"]
MODEL = os.environ["OPENAI_BASE_URL"] + "/chat/completions"
GRAPH = os.environ["WHATSAPP_GRAPH_URL"] + "/v24.0/{number}/messages"

CLAIM = """
WITH due AS (
    SELECT id FROM turns WHERE state = 'collecting' AND due_at <= statement_timestamp()
    ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE turns t SET state = 'generating', generation = generation + 1,
        lease_until = statement_timestamp() + interval '90 seconds'
    FROM due WHERE t.id = due.id RETURNING t.id, t.conversation_id
)
SELECT claimed.id AS turn, c.id AS conversation, c.phone_number_id AS number, c.external_id AS customer, history.*
FROM claimed JOIN conversations c ON c.id = claimed.conversation_id, LATERAL (
    SELECT json_agg(json_build_object('role', m.role, 'content', m.text) ORDER BY m.created_at, m.id) AS messages,
        (array_agg(m.external_id ORDER BY m.id DESC) FILTER (WHERE m.role = 'user'))[1] AS wamid
    FROM (SELECT * FROM conversation_messages WHERE conversation_id = c.id
        ORDER BY created_at DESC, id DESC LIMIT 20) m
) history
"""
CLOSE = """
WITH answer AS (
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS a(turn, conversation, words)
), locked AS (
    SELECT c.id FROM conversations c JOIN answer ON answer.conversation = c.id ORDER BY c.id FOR NO KEY UPDATE OF c
), message AS (
    INSERT INTO conversation_messages (conversation_id, role, origin, text, status, next_attempt_at)
    SELECT locked.id, 'assistant', 'assistant', answer.words, 'queued', statement_timestamp()
    FROM locked JOIN answer ON answer.conversation = locked.id
    RETURNING id, conversation_id
), closed AS (
    UPDATE turns t SET state = 'replied', outcome = 'replied', finished_at = statement_timestamp(), lease_until = NULL,
        first_reply_id = message.id, last_reply_id = message.id
    FROM message JOIN answer ON answer.conversation = message.conversation_id WHERE t.id = answer.turn
), touched AS (
    UPDATE conversations c SET last_message_at = statement_timestamp(), updated_at = statement_timestamp()
    FROM message WHERE c.id = message.conversation_id
)
SELECT conversation_id, id FROM message
"""
CLAIM_OUTGOING = """
UPDATE conversation_messages m SET status = 'sending', sending_at = statement_timestamp()
WHERE m.id = ANY (%s) AND m.status = 'queued' AND NOT EXISTS (
    SELECT FROM conversation_messages earlier WHERE earlier.conversation_id = m.conversation_id
        AND earlier.id < m.id AND earlier.status IN ('queued', 'sending'))
RETURNING m.id
"""
RECORD = """
UPDATE conversation_messages m SET status = 'sent', sent_at = statement_timestamp(), external_id = outcome.wamid
FROM unnest(%s::bigint[], %s::text[]) AS outcome(id, wamid) WHERE m.id = outcome.id AND m.status = 'sending'
"""

Row = tuple[Any, ...]
Item = TypeVar("Item")
Result = TypeVar("Result")


class Batch(Generic[Item, Result]):
    """Does `work` for everything that arrived while the previous batch was in progress."""

    def __init__(self, work: Callable[[list[Item]], Awaitable[list[Result]]]) -> None:
        self.work = work
        self.waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self.task: asyncio.Task[None] | None = None

    async def __call__(self, item: Item) -> Result:
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self.waiting.append((item, result))
        if self.task is None:
            self.task = asyncio.create_task(self.run())
        return await result

    async def run(self) -> None:
        while self.waiting:
            await asyncio.sleep(BATCH_SECONDS)
            batch, self.waiting = self.waiting[:BATCH], self.waiting[BATCH:]
            for (_, result), found in zip(batch, await self.work([item for item, _ in batch]), strict=True):
                result.set_result(found)
        self.task = None


class Loop:
    def __init__(self, pool: psycopg_pool.AsyncConnectionPool, http: aiohttp.ClientSession) -> None:
        self.pool, self.http = pool, http
        self.close, self.claim_outgoing, self.record = (
            Batch(self._close),
            Batch(self._claim_outgoing),
            Batch(self._record),
        )
        self.tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        while True:
            wanted = min(SLOTS - len(self.tasks), CLAIMED_AT_ONCE)
            turns = await self._rows(CLAIM, wanted) if wanted else []
            for turn in turns:
                task = asyncio.create_task(self.reply(*turn))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            if len(turns) < CLAIMED_AT_ONCE:
                await asyncio.sleep(IDLE_SECONDS)

    async def reply(
        self, turn: int, conversation: int, number: str, customer: str, messages: list[dict[str, str]], wamid: str
    ) -> None:
        graph = GRAPH.format(number=number)
        mark = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
        typing = asyncio.create_task(self._post(graph, mark | {"typing_indicator": {"type": "text"}}))
        prompt = [{"role": "system", "content": "You answer customers of this business on WhatsApp."}, *messages]
        completion = await self._post(MODEL, {"model": "m", "messages": prompt})
        await typing
        text: str = completion["choices"][0]["message"]["content"]
        message = await self.close((turn, conversation, text))
        if await self.claim_outgoing(message):
            body = {"messaging_product": "whatsapp", "to": customer, "type": "text", "text": {"body": text}}
            sent = await self._post(graph, body | {"biz_opaque_callback_data": str(message)})
            await self.record((message, sent["messages"][0]["id"]))

    async def _post(self, url: str, body: dict[str, Any]) -> Any:
        async with self.http.post(url, json=body, headers={"Authorization": "Bearer token"}) as response:
            return await response.json()

    async def _rows(self, query: str, *values: object) -> list[Row]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    async def _close(self, answers: list[tuple[int, int, str]]) -> list[int]:
        turns, conversations, texts = map(list, zip(*answers, strict=True))
        messages: dict[int, int] = dict(await self._rows(CLOSE, turns, conversations, texts))
        return [messages[conversation] for _, conversation, _ in answers]

    async def _claim_outgoing(self, messages: list[int]) -> list[bool]:
        claimed = {message for (message,) in await self._rows(CLAIM_OUTGOING, messages)}
        return [message in claimed for message in messages]

    async def _record(self, outcomes: list[tuple[int, str]]) -> list[None]:
        messages, wamids = map(list, zip(*outcomes, strict=True))
        await self._rows(RECORD, messages, wamids)
        return [None] * len(outcomes)


async def main() -> None:
    pool = psycopg_pool.AsyncConnectionPool(DATABASE, min_size=4, max_size=4, open=False, kwargs={"autocommit": True})
    connector = aiohttp.TCPConnector(limit=0)
    async with pool, aiohttp.ClientSession(connector=connector) as http:
        running = asyncio.ensure_future(Loop(pool, http).run())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
        await asyncio.wait([running])
        if not running.cancelled() and (error := running.exception()):
            raise error


if __name__ == "__main__":
    uvloop.run(main())
