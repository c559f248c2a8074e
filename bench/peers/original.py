"""The original service's design written well: everything happens inside the request, asynchronously.

FastAPI and SQLAlchemy's async engine: find the tenant and the conversation, store the message and the lead, load the
last 20 messages, ask the model, store the reply, answer. No connection is held while the model thinks. Like the
original, it checks no signature and sends nothing. `python -m bench.peers.original` creates the tables;
`uvicorn bench.peers.original:app` serves.
"""

import asyncio
import datetime as dt
import os
from typing import Any

import sqlalchemy as sa
from fastapi import FastAPI, Request
from openai import AsyncOpenAI
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

engine = create_async_engine("postgresql+psycopg" + os.environ["BENCH_DATABASE"], pool_size=20, max_overflow=20)
sessions = async_sessionmaker(engine, expire_on_commit=False)
model = AsyncOpenAI(max_retries=0)
app = FastAPI()


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "original_accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int]
    phone_number_id: Mapped[str] = mapped_column(unique=True)


class Conversation(Base):
    __tablename__ = "original_conversations"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int | None]
    channel: Mapped[str]
    phone_number_id: Mapped[str]
    external_id: Mapped[str]
    __table_args__ = (sa.UniqueConstraint("channel", "phone_number_id", "external_id"),)


class Message(Base):
    __tablename__ = "original_messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(sa.ForeignKey("original_conversations.id"), index=True)
    role: Mapped[str]
    text: Mapped[str]
    raw_json: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    created_at: Mapped[dt.datetime] = mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())


class Lead(Base):
    __tablename__ = "original_leads"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int | None]
    phone: Mapped[str]
    text: Mapped[str]


@app.get("/healthz")
async def health() -> str:
    return "ok"


@app.post("/api/whatsapp/webhook")
async def webhook(request: Request) -> dict[str, bool]:
    body = await request.json()
    for entry in body["entry"]:
        for change in entry["changes"]:
            value = change["value"]
            for message in value.get("messages", []):
                await answer(value["metadata"]["phone_number_id"], message)
    return {"ok": True}


async def answer(number: str, message: dict[str, Any]) -> None:
    text = message["text"]["body"]
    async with sessions() as session:
        tenant_id = await session.scalar(sa.select(Account.tenant_id).filter_by(phone_number_id=number))
        conversation_id = await get_or_create_conversation(session, tenant_id, number, message["from"])
        session.add(Message(conversation_id=conversation_id, role="user", text=text, raw_json=message))
        session.add(Lead(tenant_id=tenant_id, phone=message["from"], text=text))
        await session.commit()
        newest = sa.select(Message).filter_by(conversation_id=conversation_id).order_by(Message.created_at.desc())
        history = (await session.scalars(newest.limit(20))).all()[::-1]
    prompt: list[Any] = [{"role": "system", "content": "You answer customers of this business on WhatsApp."}]
    prompt += [{"role": row.role, "content": row.text} for row in history]
    completion = await model.chat.completions.create(model="m", messages=prompt)
    async with sessions() as session:
        reply = completion.choices[0].message.content or ""
        session.add(Message(conversation_id=conversation_id, role="assistant", text=reply))
        await session.commit()


async def get_or_create_conversation(session: AsyncSession, tenant_id: int | None, number: str, customer: str) -> int:
    keys = {"channel": "whatsapp", "phone_number_id": number, "external_id": customer}
    found = await session.scalar(sa.select(Conversation.id).filter_by(**keys))
    if found is not None:
        return int(found)
    conversation = Conversation(tenant_id=tenant_id, **keys)
    session.add(conversation)
    try:
        await session.flush()
    except IntegrityError:  # another request was faster
        await session.rollback()
        return int(await session.scalar(sa.select(Conversation.id).filter_by(**keys)) or 0)
    return int(conversation.id)


async def create_tables() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with sessions() as session:
        session.add_all(
            Account(tenant_id=n, phone_number_id=number) for n, number in enumerate(os.environ["BENCH_NUMBERS"].split())
        )
        await session.commit()


if __name__ == "__main__":
    asyncio.run(create_tables())
