"""What a program may send: a text, or one of the contents of `conversations.outbox.contents`, in Meta's limits."""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers

from api.exceptions import Unavailable
from conversations.models import Conversation
from conversations.outbox import contents, splitting
from conversations.outbox.contents import Button, Buttons, FileLink, ListMessage, LocationRequest, Row
from whatsapp.message_templates import catalogue
from whatsapp.message_templates import template as known_templates

MOST_VALUES = 100  # of a template


def _words(most: int, **more: Any) -> serializers.CharField:
    return serializers.CharField(max_length=most, **more)


class LinkSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(contents.FILE_KINDS)
    link = _words(2048, help_text="A public https:// address, from which Meta fetches it.")
    caption = _words(contents.CAPTION, required=False, allow_blank=True)
    filename = _words(240, required=False, allow_blank=True, help_text="Of a document: what the customer sees.")


class ButtonSerializer(serializers.Serializer[Any]):
    id = _words(contents.BUTTON_ID, help_text="Comes back when the customer taps it.")
    title = _words(contents.BUTTON)


class ButtonsSerializer(serializers.Serializer[Any]):
    text = _words(contents.BODY)
    buttons = serializers.ListField(child=ButtonSerializer(), min_length=1, max_length=contents.MAX_BUTTONS)


class RowSerializer(serializers.Serializer[Any]):
    id = _words(contents.ROW_ID, help_text="Comes back when the customer chooses it.")
    title = _words(contents.TITLE)
    description = _words(contents.DESCRIPTION, required=False, allow_blank=True)


class ChoicesSerializer(serializers.Serializer[Any]):
    text = _words(contents.LIST_BODY)
    button = _words(contents.BUTTON, help_text="Opens the list.")
    rows = serializers.ListField(child=RowSerializer(), min_length=1, max_length=contents.MAX_ROWS)


class LocationRequestSerializer(serializers.Serializer[Any]):
    text = _words(contents.BODY)


class FilledTemplateSerializer(serializers.Serializer[Any]):
    name = _words(contents.TEMPLATE_NAME)
    language = _words(contents.LANGUAGE)
    values = serializers.ListField(
        child=_words(known_templates.MAX_URL),
        max_length=MOST_VALUES,
        default=list,
        help_text="As many as the template has places, in their order; for a file, its public https:// address.",
    )


class NewMessageSerializer(serializers.Serializer[Any]):
    """Exactly one of text, file, buttons, list, location_request and template."""

    text = _words(
        splitting.LIMIT * 10,
        required=False,
        help_text=f"More than {splitting.LIMIT} characters become several messages.",
    )
    file = LinkSerializer(required=False)
    buttons = ButtonsSerializer(required=False)
    list = ChoicesSerializer(required=False)
    location_request = LocationRequestSerializer(required=False)
    template = FilledTemplateSerializer(required=False, help_text="May go out when the 24 hours are over.")
    reply_to = _words(
        contents.WAMID, required=False, help_text="The external_id of a message of this conversation, to quote it."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs.keys() - {"reply_to"}) != 1:
            raise serializers.ValidationError(
                "Give exactly one of text, file, buttons, list, location_request and template."
            )
        return attrs

    def content(self, conversation: Conversation) -> "str | contents.Content":
        """What is to be sent. Raises ValidationError; a template is looked up at Meta."""
        ((name, given),) = ((name, given) for name, given in self.validated_data.items() if name != "reply_to")
        if name == "text":
            return str(given)
        try:
            return _MAKE[name](given) if name in _MAKE else _filled(conversation, given)
        except ValueError as error:
            raise serializers.ValidationError({name: [str(error)]}) from error


def templates_of(conversation: Conversation) -> list[known_templates.MessageTemplate]:
    """Asked of Meta. Raises Unavailable."""
    try:
        known = catalogue.approved_templates(conversation.phone_number_id)
    except catalogue.TemplatesUnavailable as error:
        raise Unavailable(str(error)) from error
    return [template for template in known if not template.unsupported_reason]


def _filled(conversation: Conversation, given: dict[str, Any]) -> contents.Template:
    template = catalogue.find(templates_of(conversation), given["name"], given["language"])
    if template is None:
        raise ValueError("That template is not among the approved ones that can be filled here.")
    return template.fill(given["values"])


def _buttons(given: dict[str, Any]) -> Buttons:
    return Buttons(given["text"], tuple(Button(**button) for button in given["buttons"]))


def _choices(given: dict[str, Any]) -> ListMessage:
    return ListMessage(given["text"], given["button"], tuple(Row(**row) for row in given["rows"]))


_MAKE: dict[str, Callable[[dict[str, Any]], contents.Content]] = {
    "file": lambda given: FileLink(**given),
    "buttons": _buttons,
    "list": _choices,
    "location_request": lambda given: LocationRequest(**given),
}


class NewFileSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(help_text="The bytes, with their name and type.")
    kind = serializers.ChoiceField(contents.FILE_KINDS, required=False, help_text="Missing: what it is.")
    caption = _words(contents.CAPTION, required=False, allow_blank=True)
    reply_to = _words(contents.WAMID, required=False, help_text="As of any message.")


class TemplateSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    language = serializers.CharField()
    category = serializers.CharField(allow_blank=True)
    header = serializers.CharField(allow_blank=True)
    body = serializers.CharField()
    places = serializers.ListField(
        child=serializers.CharField(), source="labels", help_text="What is to be filled in, in order."
    )


class TemplatesSerializer(serializers.Serializer[Any]):
    templates = TemplateSerializer(many=True)
