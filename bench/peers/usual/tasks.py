"""One task per message: mark it as read, ask the model, store the reply, send it."""

import os

import requests
from celery import Celery
from django.conf import settings
from openai import OpenAI

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.peers.usual.settings")
app = Celery("usual")
app.config_from_object("django.conf:settings", namespace="CELERY")
client = OpenAI()


@app.task
def answer(message_id: int) -> None:
    from .models import Message  # noqa: PLC0415 - Celery imports this module before Django is set up

    message = Message.objects.select_related("conversation").get(pk=message_id)
    conversation = message.conversation
    _graph(
        conversation.phone_number_id,
        {"status": "read", "message_id": message.wamid, "typing_indicator": {"type": "text"}},
    )
    history = reversed(conversation.messages.order_by("-created_at")[:20])
    prompt = [{"role": "system", "content": "You answer customers of this business on WhatsApp."}]
    prompt += [{"role": row.role, "content": row.text} for row in history]
    completion = client.chat.completions.create(model="m", messages=prompt)
    text = completion.choices[0].message.content
    reply = Message.objects.create(conversation=conversation, role="assistant", text=text)
    sent = _graph(conversation.phone_number_id, {"to": conversation.customer, "type": "text", "text": {"body": text}})
    reply.wamid = sent["messages"][0]["id"]
    reply.save(update_fields=["wamid"])


def _graph(number: str, body: dict[str, object]) -> dict[str, list[dict[str, str]]]:
    response = requests.post(
        f"{settings.WHATSAPP_GRAPH_URL}/v24.0/{number}/messages",
        json={"messaging_product": "whatsapp", **body},
        headers={"Authorization": f"Bearer {settings.WHATSAPP_ACCESS_TOKEN}"},
        timeout=30,
    )
    response.raise_for_status()
    found: dict[str, list[dict[str, str]]] = response.json()
    return found
