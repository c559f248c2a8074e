"""The three functions of the contract."""

import threading

import pytest
from django.db import IntegrityError, connection

from conversations.history.messages import add_conversation_message, get_last_messages, get_or_create_conversation
from conversations.models import Conversation, ConversationMessage
from tenants.models import Tenant


@pytest.fixture
def conversation(db: None) -> Conversation:
    return get_or_create_conversation(None, "1001", "79001234567")


def test_the_same_keys_give_the_same_conversation(conversation: Conversation) -> None:
    assert get_or_create_conversation(None, "1001", "79001234567") == conversation
    assert conversation.channel == "whatsapp"
    assert conversation.is_active


def test_another_number_or_contact_is_another_conversation(conversation: Conversation) -> None:
    assert get_or_create_conversation(None, "1002", "79001234567") != conversation
    assert get_or_create_conversation(None, "1001", "79000000000") != conversation


def test_the_three_keys_are_unique_in_the_database(conversation: Conversation) -> None:
    with pytest.raises(IntegrityError):
        Conversation.objects.create(channel="whatsapp", phone_number_id="1001", external_id="79001234567")


def test_it_belongs_to_the_tenant_that_asked(db: None) -> None:
    tenant = Tenant.objects.create(name="North", slug="north")
    assert get_or_create_conversation(tenant.pk, "1001", "79001234567").tenant == tenant


@pytest.mark.django_db(transaction=True)
def test_ten_first_calls_at_once_give_one_conversation() -> None:
    together, found = threading.Barrier(10), set()

    def call() -> None:
        together.wait()
        found.add(get_or_create_conversation(None, "1001", "79001234567").pk)
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == Conversation.objects.count() == 1


def test_the_last_messages_are_the_last_ones_oldest_first(conversation: Conversation) -> None:
    for number in range(30):
        add_conversation_message(conversation.pk, "user" if number % 2 else "assistant", str(number))
    assert [message.text for message in get_last_messages(conversation.pk)] == [str(n) for n in range(10, 30)]
    assert [message.text for message in get_last_messages(conversation.pk, limit=3)] == ["27", "28", "29"]


def test_messages_of_the_same_moment_keep_the_order_they_were_stored_in(conversation: Conversation) -> None:
    rows = [add_conversation_message(conversation.pk, "user", text) for text in "abc"]
    ConversationMessage.objects.update(created_at=rows[0].created_at)
    assert [message.text for message in get_last_messages(conversation.pk)] == ["a", "b", "c"]


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
def test_a_message_has_one_of_three_roles(conversation: Conversation, role: str) -> None:
    assert add_conversation_message(conversation.pk, role, "Hello").role == role


def test_another_role_is_refused_by_the_database(conversation: Conversation) -> None:
    with pytest.raises(IntegrityError, match="message_role_known"):
        add_conversation_message(conversation.pk, "tool", "Hello")


def test_a_wamid_is_stored_once_in_a_conversation_and_may_come_again_in_another(conversation: Conversation) -> None:
    other = get_or_create_conversation(None, "1002", "79001234567")
    add_conversation_message(conversation.pk, "user", "Hello", external_id="wamid.1")
    add_conversation_message(other.pk, "user", "Hello", external_id="wamid.1")
    with pytest.raises(IntegrityError, match="message_once_by_wamid"):
        add_conversation_message(conversation.pk, "user", "Hello", external_id="wamid.1")


def test_loading_the_last_20_is_one_index_scan_whatever_the_length(conversation: Conversation) -> None:
    rows = [ConversationMessage(conversation=conversation, role="user", text=str(n)) for n in range(5000)]
    ConversationMessage.objects.bulk_create(rows)
    newest_first = ConversationMessage.objects.filter(conversation=conversation).order_by("-created_at", "-id")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE conversation_messages")
    plan = newest_first[:20].explain(analyze=True)
    assert "Index Scan using message_history" in plan
    assert "Sort" not in plan
