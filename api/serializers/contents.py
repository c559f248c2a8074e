"""The messages that API clients can send, within Meta's limits."""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers
from rest_framework.serializers import CharField

from api.exceptions import Unavailable
from conversations.models import Conversation
from conversations.outbox import contents, splitting
from conversations.outbox.contents import Button, Buttons, FileLink, ListMessage, LocationRequest, Row
from whatsapp.message_templates import catalogue
from whatsapp.message_templates import template as known_templates

Json = dict[str, Any]  # Validated, so its shape is known.

MAX_TEMPLATE_VALUES = 100


class FileLinkSerializer(serializers.Serializer[None]):
    kind = serializers.ChoiceField(contents.FILE_KINDS)
    link = CharField(max_length=2048, help_text="A public https:// URL. Meta downloads the file from it.")
    caption = CharField(max_length=contents.CAPTION, required=False, allow_blank=True, help_text="Not for audio.")
    filename = CharField(
        max_length=240, required=False, allow_blank=True, help_text="The name the customer sees. Only for documents."
    )


class ButtonSerializer(serializers.Serializer[None]):
    id = CharField(max_length=contents.BUTTON_ID, help_text="Returned to you when the customer taps the button.")
    title = CharField(max_length=contents.BUTTON)


class ButtonsSerializer(serializers.Serializer[None]):
    text = CharField(max_length=contents.BODY)
    buttons = serializers.ListField(child=ButtonSerializer(), min_length=1, max_length=contents.MAX_BUTTONS)


class RowSerializer(serializers.Serializer[None]):
    id = CharField(max_length=contents.ROW_ID, help_text="Returned to you when the customer chooses the row.")
    title = CharField(max_length=contents.TITLE)
    description = CharField(max_length=contents.DESCRIPTION, required=False, allow_blank=True)


class ListMessageSerializer(serializers.Serializer[None]):
    text = CharField(max_length=contents.LIST_BODY)
    button = CharField(max_length=contents.BUTTON, help_text="The title of the button that opens the list.")
    rows = serializers.ListField(child=RowSerializer(), min_length=1, max_length=contents.MAX_ROWS)


class LocationRequestSerializer(serializers.Serializer[None]):
    text = CharField(max_length=contents.BODY)


class TemplateMessageSerializer(serializers.Serializer[None]):
    name = CharField(max_length=contents.TEMPLATE_NAME)
    language = CharField(max_length=contents.LANGUAGE)
    values = serializers.ListField(
        child=CharField(max_length=known_templates.MAX_URL),
        max_length=MAX_TEMPLATE_VALUES,
        default=list,
        help_text="One value for each of the template's `placeholders`, in the same order. "
        "The value for a file is a public https:// URL.",
    )


class NewMessageSerializer(serializers.Serializer[None]):
    """Exactly one of `text`, `file`, `buttons`, `list`, `location_request` and `template`."""

    text = CharField(
        max_length=splitting.LIMIT * 10,
        required=False,
        help_text=f"A text longer than {splitting.LIMIT} characters is sent as several messages.",
    )
    file = FileLinkSerializer(required=False)
    buttons = ButtonsSerializer(required=False)
    list = ListMessageSerializer(required=False)
    location_request = LocationRequestSerializer(required=False)
    template = TemplateMessageSerializer(
        required=False, help_text="The only message you can send outside the 24-hour window."
    )
    reply_to = CharField(
        max_length=contents.WAMID,
        required=False,
        help_text="The `external_id` of a message in this conversation to quote.",
    )

    def validate(self, attrs: Json) -> Json:
        if len(attrs.keys() - {"reply_to"}) != 1:
            raise serializers.ValidationError(
                "Provide exactly one of text, file, buttons, list, location_request and template."
            )
        return attrs

    def content(self, conversation: Conversation) -> "str | contents.Content":
        """What to send. Raises ValidationError, and Unavailable if Meta can't be asked for the template."""
        ((name, value),) = ((name, value) for name, value in self.validated_data.items() if name != "reply_to")
        if name == "text":
            return str(value)
        try:
            return _filled_template(conversation, value) if name == "template" else _CONTENTS[name](value)
        except ValueError as error:
            raise serializers.ValidationError({name: [str(error)]}) from error


def templates_of(conversation: Conversation) -> list[known_templates.MessageTemplate]:
    """The templates we can send in this conversation, fetched from Meta. Raises Unavailable."""
    try:
        templates = catalogue.approved_templates(conversation)
    except catalogue.TemplatesUnavailable as error:
        raise Unavailable(str(error)) from error
    return [template for template in templates if not template.unsupported_reason]


def _filled_template(conversation: Conversation, value: Json) -> contents.Template:
    template = catalogue.find(templates_of(conversation), value["name"], value["language"])
    if template is None:
        raise ValueError(
            "No approved template with this name and language can be sent here. "
            f"List them with GET /api/conversations/{conversation.pk}/templates."
        )
    return template.fill(value["values"])


_CONTENTS: dict[str, Callable[[Json], contents.Content]] = {
    "file": lambda value: FileLink(**value),
    "buttons": lambda value: Buttons(value["text"], tuple(Button(**button) for button in value["buttons"])),
    "list": lambda value: ListMessage(value["text"], value["button"], tuple(Row(**row) for row in value["rows"])),
    "location_request": lambda value: LocationRequest(**value),
}


class NewFileSerializer(serializers.Serializer[None]):
    file = serializers.FileField(help_text="The file, with its name and content type.")
    kind = serializers.ChoiceField(
        contents.FILE_KINDS, required=False, help_text="How to send the file. Detected from its content by default."
    )
    caption = CharField(max_length=contents.CAPTION, required=False, allow_blank=True, help_text="Not for audio.")
    reply_to = CharField(
        max_length=contents.WAMID,
        required=False,
        help_text="The `external_id` of a message in this conversation to quote.",
    )


class TemplateSerializer(serializers.Serializer[known_templates.MessageTemplate]):
    name = CharField()
    language = CharField()
    category = CharField(allow_blank=True)
    header = CharField(allow_blank=True)
    body = CharField()
    placeholders = serializers.ListField(
        child=CharField(), source="labels", help_text="What to fill in: the header, the body, then the buttons."
    )


class TemplatesSerializer(serializers.Serializer[dict[str, object]]):
    templates = TemplateSerializer(many=True)
