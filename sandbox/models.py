"""The sandbox's state. It's in the database because gunicorn runs several processes.

A customer's message:   posting -> delivered -> read         (the webhook answered 200; the business marked it)
                           \\--> refused (with the reason; can be posted again)
A business's message:   accepted -> sent -> delivered -> read
                           |--> failed (with a code)
                           \\--> lost (accepted, but addressed in a way Meta never delivers)
"""

from datetime import timedelta
from typing import Any

from django.db import models
from django.utils import timezone

from sandbox.identifiers import digits_of, new_bsuid, new_numeric_id, new_wamid

# The states of a business's message in order. A status never moves it back.
RANK = {"accepted": 0, "sent": 1, "delivered": 2, "read": 3, "failed": 4, "lost": 4}
SERVICE_WINDOW = timedelta(hours=24)


class PhoneNumber(models.Model):
    """A business's number. The first use of any ID creates a row."""

    phone_number_id = models.CharField(max_length=64, unique=True)
    display_phone_number = models.CharField(max_length=32)
    verified_name = models.CharField(max_length=100, default="Sandbox Business")
    waba_id = models.CharField(max_length=64, default=new_numeric_id)
    access_token = models.CharField(max_length=500, blank=True, help_text="Empty: any token is accepted.")
    app_secret = models.CharField(max_length=200, blank=True, help_text="Empty: the secret in the settings.")
    quality_rating = models.CharField(max_length=10, default="GREEN")

    class Meta:
        db_table = "sandbox_phone_numbers"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.verified_name} (+{self.display_phone_number})"

    @classmethod
    def known_as(cls, phone_number_id: str) -> "PhoneNumber":
        """The number with this ID. Created on first use, so that whatever number a bot is configured with works."""
        digits = "".join(c for c in phone_number_id if c.isdigit())
        number, _ = cls.objects.get_or_create(
            phone_number_id=phone_number_id[:64],
            defaults={"display_phone_number": "1555" + digits[-7:].rjust(7, "0")},
        )
        return number


class Customer(models.Model):
    """A person with a phone. If they hide the number, businesses know them by the user ID only."""

    name = models.CharField(max_length=100)
    phone = models.CharField(max_length=32, blank=True)
    username = models.CharField(max_length=64, blank=True)
    user_id = models.CharField(max_length=150, unique=True, default=new_bsuid)
    hides_phone = models.BooleanField(default=False)
    read_receipts = models.BooleanField(default=True)

    class Meta:
        db_table = "sandbox_customers"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["phone"], condition=~models.Q(phone=""), name="sandbox_customer_phone_once")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.wa_id or self.user_id})"

    @property
    def wa_id(self) -> str:
        """The phone number that businesses can see, or ''."""
        return "" if self.hides_phone else self.phone

    @classmethod
    def of_phone(cls, phone: str) -> "Customer":
        digits = digits_of(phone)
        customer, _ = cls.objects.get_or_create(phone=digits, defaults={"name": f"+{digits}"})
        return customer

    @classmethod
    def of_user_id(cls, user_id: str) -> "Customer":
        customer, _ = cls.objects.get_or_create(user_id=user_id, defaults={"name": user_id, "hides_phone": True})
        return customer


class Chat(models.Model):
    """The chat between a business and a customer."""

    number = models.ForeignKey(PhoneNumber, on_delete=models.CASCADE, related_name="chats")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="chats")
    typing_until = models.DateTimeField(null=True)
    # The customer's last message through this sandbox. Null if they only wrote another way, such as curl.
    last_inbound_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "sandbox_chats"
        constraints = [models.UniqueConstraint(fields=["number", "customer"], name="sandbox_chat_once")]

    def __str__(self) -> str:
        return f"{self.number} with {self.customer}"

    @classmethod
    def between(cls, number: PhoneNumber, customer: Customer) -> "Chat":
        chat, _ = cls.objects.get_or_create(number=number, customer=customer)
        return chat

    def window_is_closed(self) -> bool:
        """Only for customers who wrote through the sandbox: it can't know about other messages."""
        return self.last_inbound_at is not None and self.last_inbound_at < timezone.now() - SERVICE_WINDOW


class Message(models.Model):
    """A message in a chat."""

    chat = models.ForeignKey(Chat, on_delete=models.CASCADE, related_name="messages")
    wamid = models.CharField(max_length=128, unique=True, default=new_wamid)
    from_customer = models.BooleanField()
    kind = models.CharField(max_length=20)
    # The object under the kind's name in Meta's API, such as {"body": …} for text.
    content = models.JSONField(default=dict)
    quotes = models.CharField(max_length=128, blank=True)
    opaque = models.CharField(max_length=512, blank=True)
    state = models.CharField(max_length=12, default="accepted")
    problem = models.TextField(blank=True)
    customer_reaction = models.CharField(max_length=32, blank=True)
    business_reaction = models.CharField(max_length=32, blank=True)
    edited_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "sandbox_messages"
        ordering = ["id"]
        # For the phone, which shows the newest messages of a chat.
        indexes = [models.Index(fields=["chat", "-id"], name="sandbox_chat_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.wamid}"

    def advance(self, state: str, problem: str = "") -> bool:
        """Compare-and-set to a later state. False if it's already there or further."""
        lower = [name for name, rank in RANK.items() if rank < RANK[state]]
        changed = Message.objects.filter(pk=self.pk, state__in=lower).update(state=state, problem=problem)
        return changed == 1


class Media(models.Model):
    """A file on "Meta's" servers."""

    media_id = models.CharField(max_length=32, unique=True, default=new_numeric_id)
    number = models.ForeignKey(PhoneNumber, on_delete=models.CASCADE, related_name="media")
    mime_type = models.CharField(max_length=100)
    filename = models.CharField(max_length=255, blank=True)
    sha256 = models.CharField(max_length=64, db_index=True)
    data = models.BinaryField()
    # What a voice note says, typed by its sender: the stand-in can't transcribe audio.
    spoken = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "sandbox_media"

    def __str__(self) -> str:
        return f"{self.mime_type} {self.media_id}"


class WeatherRule(models.Model):
    """An injected fault, for the next `remaining` requests or for all."""

    area = models.CharField(max_length=10)
    kind = models.CharField(max_length=40)
    remaining = models.PositiveIntegerField(null=True)
    params: "models.JSONField[dict[str, Any], dict[str, Any]]" = models.JSONField(default=dict)

    class Meta:
        db_table = "sandbox_weather_rules"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.area}: {self.kind}"


class LogEntry(models.Model):
    """A request to the stand-ins, or a webhook they posted."""

    at = models.DateTimeField(default=timezone.now)
    area = models.CharField(max_length=10)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=500)
    opaque = models.CharField(max_length=512, blank=True)
    wamid = models.CharField(max_length=128, blank=True)
    body = models.JSONField(null=True)
    status = models.PositiveIntegerField(null=True)
    outcome = models.CharField(max_length=300)

    class Meta:
        db_table = "sandbox_log"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.method} {self.path}: {self.outcome}"
