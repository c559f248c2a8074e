"""Rows as programs see them."""

from typing import Any

from django.db.models import Model
from rest_framework import serializers

from api.parsers import storable
from conversations.models import Conversation, ConversationMessage, Status
from leads.models import Lead


class ConversationSerializer(serializers.ModelSerializer[Conversation]):
    window_closes_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Until then free text may be sent; null: never wrote."
    )
    operator = serializers.StringRelatedField[Any](allow_null=True, help_text="The person who has it, if one is known.")

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
        read_only_fields = fields


class MessageSerializer(serializers.ModelSerializer[ConversationMessage]):
    author = serializers.StringRelatedField[Any](allow_null=True, help_text="The person who wrote it, if one is known.")
    origin = serializers.ChoiceField(ConversationMessage.Origin.choices, allow_blank=True, read_only=True)
    status = serializers.ChoiceField(
        Status.choices, allow_blank=True, read_only=True, help_text="How far it got; empty: from the customer."
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


class SentSerializer(serializers.Serializer[Any]):
    messages = MessageSerializer(many=True)


class LeadSerializer(serializers.ModelSerializer[Lead]):
    """`fields` is replaced as a whole."""

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
            "first_text",
            "referral",
            "created_at",
        ]
        read_only_fields = ["conversation", "name", "phone", "source", "first_text", "referral"]

    def get_fields(self) -> dict[str, Any]:
        # Declared here, for a serializer has an attribute of that name.
        free = serializers.DictField(required=False, validators=[storable], help_text="Any JSON object.")
        return {**super().get_fields(), "fields": free}
