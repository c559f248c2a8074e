"""Unanswered questions: grouped by their words, answered or dismissed on a page of their own."""

import pytest
from django.urls import reverse

from conversations.history.messages import add_conversation_message, get_or_create_conversation
from conversations.models import Conversation
from knowledge.models import Source
from knowledge.unanswered import UnansweredQuestion, grouped
from tenants.models import Tenant
from tenants.tests.people import TwoBusinesses

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:knowledge_unansweredquestion_changelist")


def talk(tenant: Tenant, phone: str = "4915100000001") -> Conversation:
    return get_or_create_conversation(tenant.pk, f"number-of-{tenant.pk}", phone)


def asked(tenant: Tenant, text: str, phone: str = "4915100000001") -> UnansweredQuestion:
    conversation = talk(tenant, phone)
    message = add_conversation_message(conversation.pk, "user", text)
    return UnansweredQuestion.objects.create(tenant=tenant, conversation=conversation, message_id=message.pk, text=text)


def test_questions_with_the_same_words_are_one_group_the_largest_first(businesses: TwoBusinesses) -> None:
    for text in ("Do you repair bicycles?", "Is there parking?", "do you repair BICYCLES", "Can I pay by card?"):
        asked(businesses.ours, text)
    groups = grouped(UnansweredQuestion.objects.order_by("-pk"))
    assert [(group.text, len(group.questions)) for group in groups] == [
        ("do you repair BICYCLES", 2),
        ("Can I pay by card?", 1),
        ("Is there parking?", 1),
    ]
    assert groups[0].examples == ["Do you repair bicycles?"]


def test_questions_in_other_words_are_one_group_if_most_of_their_weight_is_the_same(businesses: TwoBusinesses) -> None:
    for text in ("Do you have vegan cakes?", "Do you have any vegan cakes?", "Is there parking?", "Where can I park?"):
        asked(businesses.ours, text)
    assert sorted(len(group.questions) for group in grouped(UnansweredQuestion.objects.all())) == [1, 1, 2]


def test_questions_of_two_businesses_are_never_one_group(businesses: TwoBusinesses) -> None:
    asked(businesses.ours, "Is there parking?")
    asked(businesses.theirs, "Is there parking?")
    assert [len(group.questions) for group in grouped(UnansweredQuestion.objects.all())] == [1, 1]


def test_the_page_shows_only_one_s_own_business(businesses: TwoBusinesses) -> None:
    asked(businesses.ours, "Is there parking?")
    asked(businesses.theirs, "Do you repair bicycles?")
    client = businesses.browser("owner")
    page = client.get(PAGE).content.decode()
    assert "Is there parking?" in page
    assert "bicycles" not in page


def test_the_answer_is_prefilled_with_what_a_person_replied(businesses: TwoBusinesses) -> None:
    question = asked(businesses.ours, "Is there parking?")
    add_conversation_message(question.conversation_id, "assistant", "I don't know.", origin="assistant")
    add_conversation_message(question.conversation_id, "assistant", "Yes, behind the shop.", origin="operator")
    client = businesses.browser("owner")
    page = client.get(PAGE)
    url = page.context["rows"][0].answer_url
    form = client.get(url).context["adminform"].form
    assert (form["title"].value(), form["text"].value()) == ("Is there parking?", "Yes, behind the shop.")


def test_an_answered_question_leaves_the_list_and_is_known(businesses: TwoBusinesses) -> None:
    asked(businesses.ours, "Is there parking?")
    client = businesses.browser("owner")
    url = client.get(PAGE).context["rows"][0].answer_url
    form = client.get(url).context["adminform"].form
    given = {name: form[name].value() or "" for name in form.fields}
    response = client.post(url, {**given, "text": "Yes, behind the shop."})
    assert response.status_code == 302
    assert Source.objects.get().chunks.get().text == "Yes, behind the shop."
    assert client.get(PAGE).context["rows"] == []


def test_a_dismissed_question_leaves_the_list(businesses: TwoBusinesses) -> None:
    question = asked(businesses.ours, "Is there parking?")
    theirs = asked(businesses.theirs, "Is there parking?")
    client = businesses.browser("owner")
    client.post(PAGE, {"ids": f"{question.pk},{theirs.pk},x"})
    assert list(UnansweredQuestion.objects.filter(done_at=None)) == [theirs]


def test_an_empty_list_says_when_questions_appear(businesses: TwoBusinesses) -> None:
    client = businesses.browser("owner")
    assert "No unanswered questions." in client.get(PAGE).content.decode()
