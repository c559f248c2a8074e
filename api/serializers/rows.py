"""Conversations, messages and leads, as API clients see them."""

from django.contrib.auth.models import User
from django.db.models import Model
from rest_framework import serializers

from api.serializers.fields import validate_storable
from conversations.choices import MessageOrigin
from conversations.models import Conversation, ConversationMessage, Status
from leads.models import Lead


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    window_closes_at = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="When the 24-hour customer service window closes. Null if the customer has never written.",
    )
    operator = serializers.StringRelatedField[User](
        allow_null=True, help_text="Who has taken over the conversation, if known."
    )

    class Meta:
        model: type[Model] = Conversation
        fields = [
            "id",
            "channel",
            "phone_number_id",
            "external_id",
            "contact_user_id",
            "contact_name",
            "is_active",
            "handled_by",
            "operator",
            "needs_person",
            "needs_person_since",
            "last_inbound_at",
            "last_message_at",
            "window_closes_at",
            "created_at",
            "updated_at",
        ]
        read_only_fields = [name for name in fields if name not in ("contact_name", "is_active", "needs_person")]


class MessageSerializer(serializers.ModelSerializer[ConversationMessage]):
    author = serializers.StringRelatedField[User](allow_null=True, help_text="Who wrote it, if it was your team.")
    origin = serializers.ChoiceField(MessageOrigin.choices, allow_blank=True, read_only=True)
    status = serializers.ChoiceField(
        Status.choices, allow_blank=True, read_only=True, help_text="Delivery status. Empty for customers' messages."
    )

    class Meta:
        model: type[Model] = ConversationMessage
        fields = [
            "id",
            "conversation",
            "role",
            "origin",
            "author",
            "kind",
            "text",
            "external_id",
            "reply_to",
            "status",
            "error_code",
            "error_detail",
            "sent_at",
            "delivered_at",
            "read_at",
            "failed_at",
            "revoked_at",
            "created_at",
        ]
        read_only_fields = fields


class SentMessagesSerializer(serializers.Serializer[dict[str, object]]):
    messages = MessageSerializer(many=True)


class LeadSerializer(serializers.ModelSerializer[Lead]):
    # Serializer.fields is a property; declared fields don't overwrite it.
    fields = serializers.DictField(  # type: ignore[assignment]
        required=False, validators=[validate_storable], help_text="Any JSON object. An update replaces it as a whole."
    )

    class Meta:
        model: type[Model] = Lead
        fields = [
            "id",
            "conversation",
            "name",
            "phone",
            "source",
            "stage",
            "notes",
            "fields",
            "field_sources",
            "first_text",
            "referral",
            "created_at",
        ]
        read_only_fields = ["conversation", "source", "field_sources", "first_text", "referral"]
