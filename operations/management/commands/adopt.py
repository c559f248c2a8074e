"""`manage.py adopt`: gives the rows of a number that belong to no business to one.

Nothing else does. If deliveries did, connecting a number would also give you what its earlier owners were told.
"""

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import Model

from conversations.files.attachments import Attachment
from conversations.models import Conversation, ConversationMessage, lock
from leads.models import Lead
from tenants.models import Tenant
from whatsapp.models import QuarantinedEvent, WhatsAppAccount

# Every row that a number leads to, and how.
NUMBER_OF: dict[type[Model], str] = {
    Conversation: "phone_number_id",
    ConversationMessage: "conversation__phone_number_id",
    Attachment: "message__conversation__phone_number_id",
    Lead: "conversation__phone_number_id",
    QuarantinedEvent: "phone_number_id",
}


class Command(BaseCommand):
    help = "Assigns a number's conversations, leads and quarantined events that have no business to the one you name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("phone_number_id", help="Meta's ID of the number")
        parser.add_argument("tenant", help="the business's slug")
        parser.add_argument("--dry-run", action="store_true", help="only count the rows")

    def handle(self, *args: object, phone_number_id: str, tenant: str, dry_run: bool, **options: object) -> None:
        business = Tenant.objects.filter(slug=tenant, deletion_requested_at=None).first()
        if business is None:
            raise CommandError(f"No business has the slug {tenant!r}.")
        owners = WhatsAppAccount.objects.filter(phone_number_id=phone_number_id, is_active=True)
        if owners.exclude(tenant=business).exists():
            raise CommandError(f"The number {phone_number_id} is connected to another business.")
        with transaction.atomic():
            lock(phone_number_id=phone_number_id, tenant=None)
            for model, path in NUMBER_OF.items():
                rows = model._default_manager.filter(**{path: phone_number_id, "tenant": None})
                if model is ConversationMessage:
                    rows = rows.exclude(status="")  # only outgoing messages name their business
                count = rows.count() if dry_run else rows.update(tenant=business)
                self.stdout.write(f"{count:>8} {model._meta.verbose_name_plural}")
        done = "would be given" if dry_run else "were given"
        self.stdout.write(f"These rows of {phone_number_id} {done} to {business}.")
