"""Conversations, messages and leads, as API clients see them."""

from django.contrib.auth.models import User
from django.db.models import Model
from rest_framework import serializers

from api.serializers.fields import validate_storable
from conversations.choices import MessageOrigin
from conversations.files.attachments import Attachment
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


class ChoiceSerializer(serializers.Serializer[None]):
    id = serializers.CharField(
        help_text="The ID that you gave the button or row, or the payload of a template's button."
    )
    title = serializers.CharField(allow_blank=True)


class ReferralSerializer(serializers.Serializer[None]):
    """As far as Meta says."""

    source_type = serializers.CharField(required=False, help_text="ad or post")
    source_id = serializers.CharField(required=False)
    source_url = serializers.CharField(required=False)
    headline = serializers.CharField(required=False)
    body = serializers.CharField(required=False)
    media_type = serializers.CharField(required=False)
    image_url = serializers.CharField(required=False)
    video_url = serializers.CharField(required=False)
    thumbnail_url = serializers.CharField(required=False)
    ctwa_clid = serializers.CharField(required=False, help_text="Meta's click ID, for its Conversions API.")


class AttachmentSerializer(serializers.Serializer[None]):
    id = serializers.IntegerField()
    kind = serializers.CharField(help_text="image, audio, video, document or sticker")
    state = serializers.ChoiceField(Attachment.State.choices)
    mime_type = serializers.CharField(allow_blank=True)
    filename = serializers.CharField(allow_blank=True)
    size = serializers.IntegerField(allow_null=True, help_text="In bytes.")
    transcript = serializers.CharField(allow_blank=True, help_text="The text of an audio file or a document.")
    url = serializers.CharField(help_text="Where to download it, with your API key.")


class MessageSerializer(serializers.ModelSerializer[ConversationMessage]):
    """The details of a message from `with_details`."""

    author = serializers.StringRelatedField[User](allow_null=True, help_text="Who wrote it, if it was your team.")
    origin = serializers.ChoiceField(MessageOrigin.choices, allow_blank=True, read_only=True)
    status = serializers.ChoiceField(
        Status.choices, allow_blank=True, read_only=True, help_text="Delivery status. Empty for customers' messages."
    )
    choice = ChoiceSerializer(
        source="details.choice",
        allow_null=True,
        read_only=True,
        help_text="The button or row that the customer tapped.",
    )
    form = serializers.DictField(
        source="details.form", allow_null=True, read_only=True, help_text="A flow's answers, as the flow names them."
    )
    referral = ReferralSerializer(
        source="details.referral",
        allow_null=True,
        read_only=True,
        help_text="The ad or post from which the customer wrote.",
    )
    attachments = AttachmentSerializer(source="details.attachments", many=True, read_only=True)

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
            "choice",
            "form",
            "referral",
            "attachments",
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
