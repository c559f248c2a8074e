"""The design of the service that Parley replaces, in one file: everything happens inside the request.

Flask and SQLAlchemy, a pool of connections, threads by gunicorn: find or create the conversation, store the message,
load the last 20, ask the model, store the reply, send it, answer. Run by `.venv-bench`, which knows no Django.
"""

import json
import os
import urllib.request
from typing import Any

import sqlalchemy as sa
from flask import Flask, request
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

MODEL, GRAPH = os.environ["OPENAI_BASE_URL"], os.environ["WHATSAPP_GRAPH_URL"]
threads = int(os.environ["WEB_THREADS"])
engine = sa.create_engine("postgresql+psycopg" + os.environ["BENCH_DATABASE"], pool_size=threads)
app = application = Flask(__name__)


class Base(DeclarativeBase):
    pass


class Conversation(Base):
    __tablename__ = "original_conversations"
    id: Mapped[int] = mapped_column(primary_key=True)
    phone_number_id: Mapped[str]
    external_id: Mapped[str]
    __table_args__ = (sa.UniqueConstraint("phone_number_id", "external_id"),)


class Message(Base):
    __tablename__ = "original_messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[int] = mapped_column(sa.ForeignKey("original_conversations.id"), index=True)
    role: Mapped[str]
    text: Mapped[str]
    raw_json: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON)
    created_at: Mapped[Any] = mapped_column(sa.DateTime(timezone=True), server_default=sa.func.now())


def post(url: str, body: dict[str, Any]) -> Any:
    asked = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(asked, timeout=30))


@app.get("/healthz")
def alive() -> str:
    return "ok"


@app.post("/api/whatsapp/webhook")
def webhook() -> dict[str, bool]:
    value = request.get_json()["entry"][0]["changes"][0]["value"]
    number, message = value["metadata"]["phone_number_id"], value["messages"][0]
    with Session(engine) as session:
        keys = {"phone_number_id": number, "external_id": message["from"]}
        conversation = session.scalar(sa.select(Conversation).filter_by(**keys))
        if conversation is None:
            conversation = Conversation(**keys)
            session.add(conversation)
            session.commit()
        session.add(
            Message(conversation_id=conversation.id, role="user", text=message["text"]["body"], raw_json=message)
        )
        session.commit()
        newest = sa.select(Message).filter_by(conversation_id=conversation.id).order_by(Message.created_at.desc())
        history = [{"role": row.role, "content": row.text} for row in session.scalars(newest.limit(20))][::-1]
        answer = post(f"{MODEL}/chat/completions", {"model": "m", "messages": history})
        text = answer["choices"][0]["message"]["content"]
        session.add(Message(conversation_id=conversation.id, role="assistant", text=text))
        session.commit()
        post(f"{GRAPH}/v24.0/{number}/messages", {"to": message["from"], "text": {"body": text}})
    return {"ok": True}


if __name__ == "__main__":
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
