"""Messages that the business writes in the WhatsApp app count as a person's reply and take over the conversation."""

from conversations.models import Conversation, ConversationMessage
from leads.models import Lead
from tests.stage import Stage
from whatsapp.tests.factories import change, contact, delivery, echo, inbound, text_message


def echoed(*echoes: dict[str, object]) -> object:
    return delivery(change(message_echoes=list(echoes), contacts=[contact()]))


def test_an_echo_is_stored_as_a_persons_reply_and_takes_over(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello")))
    stage.converse(echoed(echo()))
    reply = ConversationMessage.objects.latest("id")
    assert (reply.role, reply.origin, reply.text) == ("assistant", "app", "Hello, this is Bo.")
    assert Conversation.objects.get().handled_by == "operator"


def test_the_assistant_is_silent_after_it(stage: Stage) -> None:
    stage.post(inbound(text_message("Hello")))
    stage.converse(echoed(echo()))
    stage.converse(inbound(text_message("Thank you, Bo")))
    assert stage.wire.sent == []


def test_an_echo_to_a_new_customer_creates_a_conversation_but_no_lead(stage: Stage) -> None:
    stage.converse(echoed(echo()))
    assert Conversation.objects.get().last_inbound_at is None
    assert not Lead.objects.exists()
    stage.converse(inbound(text_message("Hello")))
    assert Lead.objects.get().first_text == "Hello"


def test_an_echoed_edit_and_revoke_correct_the_persons_reply(stage: Stage) -> None:
    stage.converse(echoed(echo(id="wamid.bo")))
    inner = {"type": "text", "text": {"body": "Hello, Bo here."}}
    stage.converse(echoed(echo("edit", {"original_message_id": "wamid.bo", "message": inner})))
    assert ConversationMessage.objects.get(external_id="wamid.bo").text == "Hello, Bo here."
    stage.converse(echoed(echo("revoke", {"original_message_id": "wamid.bo"})))
    assert ConversationMessage.objects.get(external_id="wamid.bo").text == ""
