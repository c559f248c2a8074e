"""The fixed values of a conversation's and a message's columns."""

from django.db import models

GROUP = "group:"  # a conversation's external and user ID in a group begin with it; the rest is the channel's group ID


class ConversationHandler(models.TextChoices):
    ASSISTANT = "assistant", "Assistant"
    OPERATOR = "operator", "Team"


class HandoverReason(models.TextChoices):
    """Why the assistant asks for a person."""

    ASKED = "asked", "Asked for a person"
    COMPLAINT = "complaint", "Complaint"
    CANT_ANSWER = "cant_answer", "The assistant can't answer"
    SENSITIVE = "sensitive", "Sensitive"
    SALE = "sale", "Ready to buy"
    OTHER = "other", "Needs a person"
    MACHINE = "machine", "Another machine seems to be writing"


class MessageRole(models.TextChoices):
    USER = "user", "Customer"
    ASSISTANT = "assistant", "Assistant"
    SYSTEM = "system", "System"


class MessageOrigin(models.TextChoices):
    CUSTOMER = "customer", "Customer"
    ASSISTANT = "assistant", "Assistant"
    OPERATOR = "operator", "Team, from the desk"
    APP = "app", "Team, from the WhatsApp app"
    AUTOMATIC = "automatic", "WhatsApp app, automatic"
    SYSTEM = "system", "System"


class MessageKind(models.TextChoices):
    """Meta's message types, plus *template* for templates that we send."""

    TEXT = "text", "Text"
    IMAGE = "image", "Image"
    AUDIO = "audio", "Audio"
    VIDEO = "video", "Video"
    DOCUMENT = "document", "Document"
    STICKER = "sticker", "Sticker"
    LOCATION = "location", "Location"
    CONTACTS = "contacts", "Contacts"
    BUTTON = "button", "Template button reply"
    INTERACTIVE = "interactive", "Interactive"
    ORDER = "order", "Order"
    REACTION = "reaction", "Reaction"
    SYSTEM = "system", "System"
    EDIT = "edit", "Edit"
    REVOKE = "revoke", "Deletion"
    REQUEST_WELCOME = "request_welcome", "Welcome request"
    TEMPLATE = "template", "Template"
    UNSUPPORTED = "unsupported", "Unsupported"


class Status(models.TextChoices):
    QUEUED = "queued", "Queued"
    SENDING = "sending", "Sending"
    UNCERTAIN = "uncertain", "Uncertain"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    DELIVERED = "delivered", "Delivered"
    READ = "read", "Read"


# What is later in this list never gives way to what is earlier. *failed* stands between *sent* and *delivered*:
# Meta may refuse after it accepted, but what arrived has arrived.
RANK = list(Status)
BEFORE_SENT = RANK[: RANK.index(Status.SENT)]
TIMES = {Status.DELIVERED: "delivered_at", Status.READ: "read_at", Status.FAILED: "failed_at"}
