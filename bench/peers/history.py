"""Two libraries for chat histories, used as their documentation shows. Prints JSON: `parts/history.py` reads it."""

import asyncio
import json
import os
import sys
import time
import warnings
from typing import Any

import sqlalchemy as sa
from agents.extensions.memory import SQLAlchemySession
from langchain_core.messages import AIMessage, HumanMessage
from sqlalchemy.ext.asyncio import create_async_engine

warnings.simplefilter("ignore")
from langchain_community.chat_message_histories import SQLChatMessageHistory  # noqa: E402

URL = "postgresql+psycopg" + os.environ["BENCH_DATABASE"]
BATCH = 10_000


async def agents_sdk(lengths: list[int], rounds: int, words: str) -> list[list[float]]:
    engine = create_async_engine(URL)
    found = []
    for length in lengths:
        session = SQLAlchemySession(f"history{length}", engine=engine, create_tables=True)
        await session.clear_session()
        item: Any = {"role": "user", "content": words}
        for start in range(0, length, BATCH):
            await session.add_items([item] * min(BATCH, length - start))
        times = []
        for _ in range(rounds + 5):
            began = time.perf_counter()
            await session.add_items([item])
            await session.get_items(limit=20)
            times.append((time.perf_counter() - began) * 1000)
        found.append(times[5:])
    await engine.dispose()
    return found


def langchain(lengths: list[int], rounds: int, words: str) -> list[list[float]]:
    engine = sa.create_engine(URL)
    found = []
    for length in lengths:
        history = SQLChatMessageHistory(session_id=f"history{length}", connection=engine)
        history.clear()
        for start in range(0, length, BATCH):
            some = range(start, min(start + BATCH, length))
            history.add_messages([(AIMessage if n % 2 else HumanMessage)(words) for n in some])
        times: list[float] = []
        # It has no limit: it reads all of a conversation each time, so at 100,000 fewer rounds must do.
        for _ in range(8 if length > 10_000 else rounds + 5):
            began = time.perf_counter()
            history.add_message(HumanMessage(words))
            history.messages[-20:]
            times.append((time.perf_counter() - began) * 1000)
        found.append(times[5:])
    engine.dispose()
    return found


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    lengths, rounds, words = asked["lengths"], asked["rounds"], asked["words"]
    results = {
        "OpenAI Agents SDK `SQLAlchemySession`": asyncio.run(agents_sdk(lengths, rounds, words)),
        "LangChain `SQLChatMessageHistory`": langchain(lengths, rounds, words),
    }
    print(json.dumps(results))
