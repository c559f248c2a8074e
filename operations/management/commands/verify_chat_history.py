"""`manage.py verify_chat_history`: checks the chat history and, with --url, the way through a running server.

It's in this app because it creates a WhatsApp account, and `conversations` can't import `whatsapp`.
"""

import datetime as dt
import json
import time
import uuid
from argparse import BooleanOptionalAction
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from tqdm import tqdm

from assistant.models import Turn
from conversations.history.messages import add_conversation_message, get_last_messages, get_or_create_conversation
from conversations.models import Conversation, ConversationMessage
from operations import leftovers
from runtime import http
from tenants.models import Tenant
from whatsapp.models import WhatsAppAccount
from whatsapp.webhook.signature import sign

FIRST, SECOND = "first message", "second message"
REPLY_SECONDS = 60


@dataclass
class Stand:
    """The rows that the check uses, and which of them it created."""

    tenant: Tenant
    account: WhatsAppAccount
    wa_from: str
    made: list[Tenant | WhatsAppAccount] = field(default_factory=list)
    since: dt.datetime = field(default_factory=timezone.now)

    @property
    def conversations(self) -> "QuerySet[Conversation]":
        return Conversation.objects.filter(
            phone_number_id=self.account.phone_number_id, external_id=self.wa_from, channel="whatsapp"
        )


class Command(BaseCommand):
    help = "Checks that conversations are reused and messages kept in order; with --url, also through a running server."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--url",
            help="base URL of a running server, to check from webhook to reply",
        )
        parser.add_argument("--keep", action=BooleanOptionalAction, default=False, help="keep the created rows")
        parser.add_argument("--timeout", type=float, default=REPLY_SECONDS, help="seconds to wait for the reply")

    def handle(self, *args: object, url: str | None, keep: bool, timeout: float, **options: object) -> None:
        if not connection.introspection.table_names():
            self.stdout.write("The database is empty. Creating its tables …")
            call_command("migrate", interactive=False, verbosity=0)
        with self._stand(keep) as stand:
            self._history(stand)
            if url:
                self._webhook(stand, url.rstrip("/"), timeout)
        self.stdout.write(self.style.SUCCESS("All checks passed."))

    def _check(self, what: str, holds: bool, found: object = "") -> None:
        """Print one step. The first failure ends the command with exit code 1."""
        if not holds:
            raise CommandError(f"FAILED {what}: {found}")
        self.stdout.write(f"ok     {what}" + (f" ({found})" if found != "" else ""))

    @contextmanager
    def _stand(self, keep: bool) -> Iterator[Stand]:
        stand = _make_stand()
        self._check("tenant and WhatsApp account exist", True, f"{stand.tenant}, {stand.account.phone_number_id}")
        try:
            yield stand
        finally:
            if keep:
                self.stdout.write(f"kept   conversations {list(stand.conversations.values_list('id', flat=True))}")
            else:
                leftovers.forget(stand.account.phone_number_id, [stand.wa_from], stand.since)
                for row in stand.made:
                    row.delete()
                self.stdout.write("       the created rows are removed (use --keep to keep them)")

    def _history(self, stand: Stand) -> None:
        keys = (stand.tenant.pk if settings.MULTITENANT_ENABLED else None, stand.account.phone_number_id, stand.wa_from)
        conversation = get_or_create_conversation(*keys)
        again = get_or_create_conversation(*keys)
        self._check("the same keys give the same conversation", again.pk == conversation.pk, f"id {conversation.pk}")
        for count, text in enumerate((FIRST, SECOND), start=1):
            add_conversation_message(conversation.pk, "user", text)
            found = ConversationMessage.objects.filter(conversation=conversation).count()
            self._check(f"message count is {count}", found == count, found)
        texts = [message.text for message in get_last_messages(conversation.pk, limit=20)]
        self._check("the last messages are returned oldest first", texts == [FIRST, SECOND], texts)
        conversation.delete()

    def _webhook(self, stand: Stand, url: str, timeout: float) -> None:
        for count in (1, 2):
            _post(self._check, url, stand, f"Hello number {count}, from verify_chat_history")
            theirs = stand.conversations
            self._check("one conversation in the database", theirs.count() == 1, theirs.count())
            found = theirs.get().messages.filter(role="user").count()
            self._check(f"the history has {count} of the customer's messages", found == count, found)
        reply = _wait_for_reply(stand, timeout)
        self._check(
            f"a reply within {timeout:g} s", reply is not None, reply.text if reply else "is the worker running?"
        )
        failed = Turn.objects.filter(conversation__in=stand.conversations, state=Turn.State.FAILED).first()
        self._check("the model wrote it", failed is None, failed.error if failed else "")


def _make_stand() -> Stand:
    """The first existing tenant and account, or new ones."""
    account = WhatsAppAccount.objects.filter(is_active=True).select_related("tenant").first()
    made: list[Tenant | WhatsAppAccount] = []
    if account is None:
        if settings.MULTITENANT_ENABLED:
            tenant = Tenant.objects.create(name="Verification", slug=f"verification-{uuid.uuid4().hex[:8]}")
            made.append(tenant)
        else:
            tenant = Tenant.objects.single()
        account = WhatsAppAccount.objects.create(tenant=tenant, phone_number_id=f"9{uuid.uuid4().int % 10**14:014}")
        made.insert(0, account)
    return Stand(account.tenant, account, wa_from=f"1999{uuid.uuid4().int % 10**8:08}", made=made)


def _post(check: Callable[..., None], url: str, stand: Stand, text: str) -> None:
    """One signed delivery, as Meta would send it."""
    message = {
        "from": stand.wa_from,
        "id": f"wamid.verify.{uuid.uuid4().hex}",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": text},
    }
    value = {"metadata": {"phone_number_id": stand.account.phone_number_id}, "messages": [message]}
    change = {"field": "messages", "value": value}
    data = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
    body = json.dumps(data).encode()
    secret = stand.account.app_secret or next(iter(settings.WHATSAPP_APP_SECRETS), "")
    headers = {"Content-Type": "application/json"} | ({"X-Hub-Signature-256": sign(body, secret)} if secret else {})
    try:
        response = async_to_sync(http.request)(
            "POST", f"{url}/api/whatsapp/webhook", data=body, headers=headers, seconds=10
        )
    except http.RequestFailed as error:
        raise CommandError(f"FAILED no response from {url}: {error.detail}. Is the server running?") from error
    answer = response.body.decode(errors="replace")
    check("the webhook answers", (response.status, answer) == (200, '{"ok":true}'), answer[:200])


def _wait_for_reply(stand: Stand, timeout: float) -> ConversationMessage | None:
    replies = ConversationMessage.objects.filter(conversation__in=stand.conversations, role="assistant")
    for _ in tqdm(range(int(timeout * 2)), desc="waiting for the reply", unit="½s", leave=False, disable=None):
        if reply := replies.first():
            return reply
        time.sleep(0.5)
    return replies.first()
