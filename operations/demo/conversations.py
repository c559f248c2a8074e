"""Loads the demo's stories as conversations, with everything that would have followed from them."""

import datetime as dt
import hashlib
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from assistant.models import Assistant, Turn
from conversations.choices import HandoverReason
from conversations.files.attachments import stored_name
from conversations.handover import UNCERTAIN
from conversations.models import Attachment, Conversation, ConversationMessage, ConversationNote, Status
from conversations.outbox.contents import Button, Buttons, Content, FileUpload, Location, Parameter, Template, to_json
from leads.models import Lead
from tenants.models import Tenant
from whatsapp.models import WhatsAppAccount

from . import business, files
from .stories import Line, Story, read

PROMPT_TOKENS = 520  # of the instructions


@dataclass(slots=True)
class Rows:
    """The rows of one story."""

    story: Story
    conversation: Conversation
    messages: list[tuple[Line, ConversationMessage]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    notes: list[ConversationNote] = field(default_factory=list)


def load(tenant: Tenant, team: dict[str, User]) -> list[Rows]:
    """Load the stories whose customers don't have a conversation yet."""
    now = timezone.now()
    zone = zoneinfo.ZoneInfo(tenant.opening_hours.time_zone)
    ours = Conversation.objects.filter(phone_number_id=business.PHONE_NUMBER_ID)
    there = set(ours.values_list("external_id", flat=True))
    loaded = [_rows(story, tenant, team) for story in read(now, zone) if story.phone not in there]
    Conversation.objects.bulk_create(rows.conversation for rows in loaded)
    # Older messages get lower IDs, as if they had come in this order.
    messages = sorted((message for rows in loaded for _, message in rows.messages), key=lambda each: each.created_at)
    ConversationMessage.objects.bulk_create(messages)
    if messages:
        accounts = WhatsAppAccount.objects.filter(phone_number_id=business.PHONE_NUMBER_ID)
        accounts.update(last_delivery_at=messages[-1].created_at)
    Attachment.objects.bulk_create(attachment for rows in loaded for attachment in rows.attachments)
    ConversationNote.objects.bulk_create(note for rows in loaded for note in rows.notes)
    assistant = Assistant.objects.get(tenant=tenant)
    turns = [turn for rows in loaded for turn in _turns(rows, assistant)]
    Turn.objects.bulk_create(sorted(turns, key=lambda turn: turn.opened_at))
    Lead.objects.bulk_create(_lead(rows, now.astimezone(zone).date()) for rows in loaded)
    return loaded


def _rows(story: Story, tenant: Tenant, team: dict[str, User]) -> Rows:
    heard = [line.at for line in story.lines if line.is_customers]
    last = story.lines[-1].at
    rows = Rows(
        story,
        Conversation(
            tenant=tenant,
            phone_number_id=business.PHONE_NUMBER_ID,
            external_id=story.phone,
            contact_name=story.name,
            created_at=story.lines[0].at,
            updated_at=last,
            last_inbound_at=heard[-1],
            last_message_at=last,
            seen_at=None if story.unread else last,
        ),
    )
    if story.team:
        rows.conversation.handled_by = Conversation.Handler.OPERATOR
        rows.conversation.operator = team[story.team]
        rows.conversation.person_at = last
    if story.flag:
        asked = HandoverReason(story.flag) if story.flag in HandoverReason.values else None
        rows.conversation.needs_person = asked.label if asked else UNCERTAIN
        rows.conversation.needs_person_since = last
        rows.conversation.handover_reason = asked or ""
        rows.conversation.handover_summary = story.summary
    writer = team[story.team or next(iter(team))]
    for number, line in enumerate(story.lines):
        if line.kind == "note":
            rows.notes.append(
                ConversationNote(conversation=rows.conversation, author=writer, text=line.text, created_at=line.at)
            )
        else:
            _add(rows, line, f"wamid.demo.{story.phone}.{number}", writer)
    return rows


def _add(rows: Rows, line: Line, wamid: str, writer: User) -> None:
    message = ConversationMessage(
        conversation=rows.conversation,
        role="user" if line.is_customers else "assistant",
        origin="customer" if line.is_customers else "assistant",
        text=line.text,
        external_id=wamid,
        created_at=line.at,
        sent_at=line.at,
    )
    if not line.is_customers:
        message.tenant = rows.conversation.tenant
        message.status = Status.READ if rows.conversation.seen_at else Status.DELIVERED
        message.delivered_at = line.at + dt.timedelta(seconds=1)
        message.read_at = line.at + dt.timedelta(seconds=20) if message.status == Status.READ else None
    if line.kind in ("team", "template"):
        message.origin, message.author = "operator", writer
    if line.kind == "uncertain":
        message.status, message.external_id = Status.UNCERTAIN, None
        message.sending_at, message.delivered_at, message.read_at = line.at, None, None
        message.error_detail = "WhatsApp didn't answer."
    if line.kind == "reaction":
        message.kind, message.text = "reaction", f"[reaction] {line.text}"
        message.reply_to = rows.messages[-1][1].external_id or ""
    if line.kind == "location":
        name, address, point = line.parts
        latitude, longitude = (float(part) for part in point.split(","))
        message.kind, message.text = "location", Location(latitude, longitude, name, address).as_text
    content = _attach(rows, line, message) if line.kind in ("photo", "pdf") else _content(line)
    if content is not None:
        message.kind, message.text = content.message_kind, content.as_text
        message.payload = None if line.is_customers else to_json(content)
    rows.messages.append((line, message))


def _content(line: Line) -> Content | None:
    if line.kind == "buttons":
        text, *titles = line.parts
        return Buttons(text, tuple(Button(title, title) for title in titles))
    if line.kind == "template":
        name, text = line.parts
        return Template(name, "en", body=(Parameter(text.split()[1].strip(",")),), text=text)
    return None


def _attach(rows: Rows, line: Line, message: ConversationMessage) -> FileUpload:
    name, caption = line.parts
    data = files.content_of(name)
    mime_type, kind = ("application/pdf", "document") if name.endswith(".pdf") else ("image/png", "image")
    digest = hashlib.sha256(data).hexdigest()
    stored = default_storage.save(stored_name(mime_type), ContentFile(data))
    rows.attachments.append(
        Attachment(
            message=message,
            tenant=rows.conversation.tenant if line.is_customers else None,
            kind=kind,
            mime_type=mime_type,
            size=len(data),
            sha256=digest,
            filename=name if kind == "document" else "",
            file=stored,
            transcript=files.text_of(name),
            state=Attachment.State.READY,
            created_at=line.at,
        )
    )
    return FileUpload(kind, stored, mime_type, len(data), digest, caption, name if kind == "document" else "")


def _turns(rows: Rows, assistant: Assistant) -> list[Turn]:
    """One for each reply of the assistant, with the customer's messages before it."""
    turns, asked = list[Turn](), list[ConversationMessage]()
    for line, message in rows.messages:
        if line.is_customers and line.kind != "reaction":
            asked.append(message)
        elif message.origin == "assistant" and asked:
            turns.append(_turn(rows.conversation, asked, message, assistant, len(turns)))
            asked = []
    return turns


def _turn(
    conversation: Conversation,
    asked: Sequence[ConversationMessage],
    reply: ConversationMessage,
    assistant: Assistant,
    earlier: int,
) -> Turn:
    opened, answered = asked[-1].created_at, reply.created_at
    return Turn(
        tenant_id=assistant.tenant_id,
        conversation=conversation,
        state=Turn.State.REPLIED,
        outcome="replied",
        model=assistant.model_name,
        instructions_hash=assistant.instructions_hash,
        first_message=asked[0],
        last_message=asked[-1],
        first_reply=reply,
        last_reply=reply,
        seen_messages=[message.pk for message in asked],
        opened_at=opened,
        due_at=opened,
        latest_due_at=opened,
        finished_at=answered,
        seconds=(answered - opened).total_seconds() / 3,
        prompt_tokens=PROMPT_TOKENS + 60 * earlier,
        completion_tokens=len(reply.text) // 4,
        cost=0,
    )


def _lead(rows: Rows, today: dt.date) -> Lead:
    story = rows.story
    said = [message for line, message in rows.messages if line.is_customers and line.kind != "reaction"]
    values = {
        name: (today + dt.timedelta(days=int(value))).isoformat() if name == "needed_on" else value
        for name, value in story.fields.items()
    }
    return Lead(
        tenant=rows.conversation.tenant,
        conversation=rows.conversation,
        name=story.name,
        phone=story.phone,
        first_text=said[0].text,
        stage=story.stage,
        fields=values,
        field_sources=dict.fromkeys(values, said[-1].pk),
        notes=story.lead_notes,
        created_at=said[0].created_at,
    )
