"""Loads claimed turns, with everything that an answer needs."""

import dataclasses
import datetime as dt
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from assistant.model import context
from assistant.model.context import Shown
from assistant.models import DEFAULT_FALLBACK, AfterHandover, Assistant, Dialect
from assistant.replies.checking import NOTHING_KNOWN, Known
from assistant.tools.own import LeadFieldSpec, Toolbox
from conversations.choices import HandoverReason, MessageOrigin
from conversations.files import attachments
from conversations.history.messages import Window, windows_of
from conversations.history.older import Older
from conversations.models import Conversation, ConversationMessage
from conversations.outbox.pauses import Pause
from runtime.database import is_transient
from runtime.untrusted_json import Json
from tenants.hours import Hours, OpeningHours
from tenants.models import Tenant

from . import steps
from .brake import is_machine
from .policy import Silence, is_over_budget, reason_of, silence_of
from .situation import Situation
from .steps import Step

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClaimedTurn:
    """The right to write one reply, until the lease ends or someone else holds a later generation.

    If `silence`, `is_exhausted` or `error` is set, the turn only needs to be closed.
    """

    turn_id: int
    generation: int
    conversation_id: int
    tenant_id: int
    first_message_id: int
    assistant: Assistant
    dialect: Dialect  # what its endpoint accepts
    phone_number_id: str
    pauses: Sequence[Pause]  # active ones of model endpoints
    former_pauses: Sequence[str]  # the scopes of those that have expired, though no call has succeeded since
    silence: Silence | None
    is_exhausted: bool  # too many workers lost their lease on it
    shown: list[Shown]  # the history for the model, oldest first
    seen_ids: list[int]  # the rows behind them, all kinds
    newest: str  # wamid of the customer's newest message; '' if it has none
    quotable: str  # wamid of the newest one that a reply can quote; '' if there's none
    is_ambiguous: bool  # other messages are open too, so the reply quotes the one it answers
    is_machine: bool  # the customer seems to be one
    is_first_reply: bool  # nobody has written to this customer yet
    open_texts: Sequence[str]  # what the customer wrote and said since the last reply
    situation: Situation
    away_text: str  # for the customer, if the assistant is silent because the team is away
    toolbox: Toolbox
    steps: Sequence[Step]  # of claims that were lost
    error: str = ""  # why it can't be answered
    older: Older | None = None  # what came before the history, if the conversation may be longer
    question: str = ""  # what the customer has just written
    previous: str = ""  # what they wrote before that
    previous_id: int = 0  # the row of that
    sections: Sequence[str] = ()  # what was found for this reply, each with a heading
    has_knowledge: bool = False  # the business has some
    beginning: Sequence[Json] = ()  # messages before the history
    passages: Sequence[str] = ()  # of the business's knowledge, for the last message
    known: Known = NOTHING_KNOWN  # all that the model has been shown of it

    @property
    def has_data(self) -> bool:
        """Whether the prompt contains text from elsewhere than the business, the customer and the conversation."""
        is_told = bool(self.sections) or self.known.is_foreign or self.situation.has_data
        return is_told or any(each.has_data for each in self.shown)

    def without_data(self) -> "ClaimedTurn":
        shown = [each.without_data() for each in self.shown]
        situation = dataclasses.replace(self.situation, facts={})
        return dataclasses.replace(
            self, shown=shown, situation=situation, sections=(), beginning=(), passages=(), steps=()
        )

    @property
    def messages(self) -> list[dict[str, object]]:
        return [shown.as_message() for shown in self.shown]


class Row(NamedTuple):
    """A row of the result, in column order. All but the first three columns are NULL if nothing is due."""

    recovered: int
    next_in: float | None
    pauses: str | None  # JSON
    turn_id: int
    generation: int
    first_message_id: int
    tenant_id: int
    is_exhausted: bool
    places: int  # how many turns this business could get
    conversation_id: int
    phone_number_id: str
    handled_by: str
    is_active: bool
    last_inbound_at: dt.datetime | None
    handed_over: str  # why the conversation is waiting for a person
    contact_name: str
    tenant_is_active: bool
    assistant: str | None  # JSON
    tokens_today: int | None
    recent_replies: int  # to this customer, within an hour
    dialects: str | None  # JSON
    hours: str | None  # JSON
    has_knowledge: bool
    facts: str | None  # JSON: the lead's fields
    lead_fields: str | None  # JSON
    steps: str | None  # JSON
    begins_id: int | None  # the first message that the conversation's last turn was shown


class FoundPause(NamedTuple):
    scope: str
    reason: str
    credential: str
    is_over: bool


def load(rows: Sequence[Row], pauses: Sequence[FoundPause]) -> list[ClaimedTurn]:
    """A row that can't be loaded doesn't affect the others."""
    try:
        return _load_together(rows, pauses)
    except Exception as error:
        if is_transient(error):
            raise
        if len(rows) > 1:
            return [turn for row in rows for turn in load([row], pauses)]
        logger.exception("turn %s: it couldn't be loaded", rows[0].turn_id)
        return [_broken(rows[0], f"The conversation couldn't be loaded: {reason_of(error)}")]


def _load_together(rows: Sequence[Row], pauses: Sequence[FoundPause]) -> list[ClaimedTurn]:
    assistants = {row.tenant_id: Assistant.from_json(row.assistant, row.tenant_id) for row in rows}
    histories = windows_of(
        (
            Window(
                conversation_id=row.conversation_id,
                number=assistants[row.tenant_id].history_limit,
                growth=assistants[row.tenant_id].history_growth,
                begins_id=row.begins_id,
                first_id=row.first_message_id,
            )
            for row in rows
            if not row.is_exhausted
        ),
        uncounted=context.SILENT,
    )
    files = attachments.of([message for history in histories.values() for message in history])
    return [
        _claimed(row, assistants[row.tenant_id], histories.get(row.conversation_id, []), files, pauses) for row in rows
    ]


def _claimed(
    row: Row,
    assistant: Assistant,
    history: Sequence[ConversationMessage],
    files: context.Files,
    pauses: Sequence[FoundPause],
) -> ClaimedTurn:
    conversation = Conversation(
        pk=row.conversation_id,
        tenant=Tenant(pk=row.tenant_id, is_active=row.tenant_is_active),
        handled_by=row.handled_by,
        is_active=row.is_active,
        last_inbound_at=row.last_inbound_at,
    )
    silence = silence_of(conversation)
    if silence is None and is_over_budget(assistant, row.tokens_today or 0):
        silence = Silence.OUT_OF_BUDGET
    if silence is None and 0 < settings.CUSTOMER_REPLIES_PER_HOUR <= row.recent_replies:
        silence = Silence.TOO_MANY_REPLIES
    hours = OpeningHours.from_json(row.hours)
    situation = Situation.at(timezone.now(), hours, row.contact_name, json.loads(row.facts or "{}"))
    if silence is None and situation.is_silent(assistant):
        silence = Silence.OUT_OF_HOURS
    stays_silent = assistant.after_handover == AfterHandover.SILENT or row.handed_over == HandoverReason.MACHINE
    if silence is None and row.handed_over and stays_silent:
        silence = Silence.HANDED_OVER
    theirs = [message for message in history if message.role == "user" and message.external_id]
    spoken = [
        message
        for message in history
        if message.kind not in context.SILENT and message.origin != MessageOrigin.AUTOMATIC
    ]
    asked = [message for message in spoken if message in theirs]
    before = [message for message in asked if message.pk < row.first_message_id][-1:]
    last_asked = context.in_order(asked, row.first_message_id)[-1:]
    open_ones = [message for message in asked if message.pk >= row.first_message_id]
    refused = [message.refused for message in open_ones if message.refused]
    is_full = len(spoken) >= assistant.history_limit
    return ClaimedTurn(
        turn_id=row.turn_id,
        generation=row.generation,
        conversation_id=row.conversation_id,
        tenant_id=row.tenant_id,
        first_message_id=row.first_message_id,
        assistant=assistant,
        dialect=Dialect.from_json(row.dialects, row.tenant_id, assistant.endpoint, assistant.model_name),
        phone_number_id=row.phone_number_id,
        pauses=[
            Pause(scope=each.scope, reason=each.reason, credential=each.credential)
            for each in pauses
            if not each.is_over
        ],
        former_pauses=[each.scope for each in pauses if each.is_over],
        silence=silence,
        is_exhausted=row.is_exhausted,
        shown=context.show(history, row.first_message_id, files, assistant.sees_images),
        seen_ids=[message.pk for message in history],
        newest=(theirs[-1].external_id or "") if theirs else "",
        quotable=(last_asked[0].external_id or "") if last_asked else "",
        is_ambiguous=bool(asked) and (spoken[-1] is not asked[-1] or len(open_ones) > 1),
        is_machine=is_machine(history),
        is_first_reply=all(message.role == "user" for message in spoken),
        open_texts=[text for message in open_ones for text in (context.own_words(message), _heard([message], files))],
        situation=situation,
        away_text=situation.away_text(assistant, history),
        toolbox=Toolbox([LeadFieldSpec(*each) for each in json.loads(row.lead_fields or "[]")], situation.next_step),
        steps=steps.loaded(row.steps, max((message.pk for message in history), default=0)),
        error=refused[-1] if refused and len(refused) == len(open_ones) else "",
        older=Older(row.conversation_id, history[0].created_at, history[0].pk) if is_full else None,
        question=_said(open_ones, files),
        has_knowledge=row.has_knowledge,
        previous=_said(before, files),
        previous_id=max((message.pk for message in before), default=0),
    )


def _said(messages: Sequence[ConversationMessage], files: context.Files) -> str:
    return "\n".join([*(message.text for message in messages), _heard(messages, files)])


def _heard(messages: Sequence[ConversationMessage], files: context.Files) -> str:
    """What their voice notes say."""
    own = [file for message in messages for file in files.get(message.pk, ())]
    return "\n".join(file.transcript for file in own if file.kind == "audio")


def _broken(row: Row, error: str) -> ClaimedTurn:
    settings_of_tenant = json.loads(row.assistant) if row.assistant else {}
    return ClaimedTurn(
        turn_id=row.turn_id,
        generation=row.generation,
        conversation_id=row.conversation_id,
        tenant_id=row.tenant_id,
        first_message_id=row.first_message_id,
        assistant=Assistant(fallback_text=settings_of_tenant.get("fallback_text", DEFAULT_FALLBACK)),
        dialect=Dialect(),
        phone_number_id=row.phone_number_id,
        pauses=[],
        former_pauses=[],
        silence=None,
        is_exhausted=row.is_exhausted,
        shown=[],
        seen_ids=[],
        newest="",
        quotable="",
        is_ambiguous=False,
        is_machine=False,
        is_first_reply=False,
        open_texts=[],
        situation=Situation.at(timezone.now(), Hours(), "", {}),
        away_text="",
        toolbox=Toolbox([], ""),
        steps=[],
        error=error,
    )
