"""Notes: visible to the team, and to no one and nothing else."""

import json

import pytest
from django.test import Client

from conversations.desk.list_rows import rows_for
from conversations.models import Conversation, ConversationMessage, ConversationNote
from conversations.tests.open_page import OpenPage
from conversations.tests.rows import conversation, many_messages, message
from conversations.tests.test_admin_desk import press
from conversations.tests.test_admin_transcript import page_of
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses, browser_of, superuser
from tests.stage import Stage
from whatsapp.tests.factories import inbound, text_message

NOTE = "Careful, she knows the boss."


@pytest.mark.django_db
@pytest.mark.parametrize(("who", "answer"), [("operator", 302), ("viewer", 403), ("stranger", 404)])
def test_who_can_write_and_read_notes(who: str, answer: int) -> None:
    businesses = TwoBusinesses()
    ours = conversation(businesses.ours, handled_by="operator", operator=businesses.people["owner"])
    assert press(businesses.browser(who), ours, "note", text=NOTE) == answer
    assert ConversationNote.objects.exists() == (answer == 302)
    assert (NOTE in page_of(businesses.browser("viewer"), ours)) == (answer == 302)
    assert 'action="/admin/conversations' not in page_of(businesses.browser("viewer"), ours)


@pytest.mark.django_db
def test_an_empty_note_is_not_kept() -> None:
    businesses = TwoBusinesses()
    press(businesses.browser("operator"), conversation(businesses.ours), "note", text=" \x00 ")
    assert not ConversationNote.objects.exists()


def test_no_note_is_sent_or_shown_to_the_model(stage: Stage) -> None:
    stage.converse(inbound(text_message("Hello")))
    talk = Conversation.objects.get()
    before = rows_for([talk])
    press(browser_of(superuser()), talk, "note", text=NOTE)
    stage.work()
    assert rows_for([talk]) == before
    talk.refresh_from_db()
    assert talk.handled_by == "assistant"
    stage.converse(inbound(text_message("And now?")))
    assert len(stage.wire.sent) == 2
    assert NOTE not in json.dumps([stage.wire.asked, stage.wire.sent])


def times_of(note: str, client: Client, of: Conversation) -> list[int]:
    """How many pages of the conversation show the note, starting with the newest."""
    found: list[int] = []
    page = page_of(client, of)
    while True:
        found.append(page.count(note))
        older = page.split("change/?before=")[1:2]
        if not older:
            return found
        page = page_of(client, of, before=older[0].split('"')[0])


@pytest.mark.django_db
def test_a_note_appears_once_on_the_right_page() -> None:
    businesses = TwoBusinesses()
    ours, client = conversation(businesses.ours), businesses.browser("operator")
    many_messages(ours, 120)
    all_ids = list(ours.messages.order_by("created_at", "id").values_list("created_at", flat=True))
    for place, words in ((70, "Note at the seam"), (10, "Note on the last page"), (119, "Note at the end")):
        note = ConversationNote.objects.create(conversation=ours, text=words)
        ConversationNote.objects.filter(pk=note.pk).update(created_at=all_ids[place])
    first = ConversationNote.objects.create(conversation=ours, text="Note before all")
    ConversationNote.objects.filter(pk=first.pk).update(created_at=all_ids[0].replace(year=2020))
    assert times_of("Note at the end", client, ours) == [1, 0, 0]
    assert sorted(times_of("Note at the seam", client, ours)) == [0, 0, 1]
    assert times_of("Note on the last page", client, ours) == [0, 0, 1]
    assert times_of("Note before all", client, ours) == [0, 0, 1]


@pytest.mark.django_db
def test_an_open_page_gets_a_new_note(client: Client) -> None:
    talk = conversation(Tenant.objects.create(name="One", slug="one"))
    message(talk, "Hello")
    client.force_login(superuser())
    desk = OpenPage(client, talk)
    press(client, talk, "note", text=NOTE)
    assert NOTE in desk.poll()["newest"]
    assert ConversationMessage.objects.count() == 1
