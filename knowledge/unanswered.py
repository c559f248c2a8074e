"""Questions that the assistant couldn't answer, collected so that someone on the team can.

Each asking is a row. They're grouped when they're shown, by the words they have in common.
"""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from conversations.models import Conversation, ConversationMessage
from runtime.words import query_words
from tenants.models import Tenant

LONGEST = 500  # characters of a question
MOST_SHOWN = 1_000  # of the newest ones
ALIKE = 0.5  # the share of their words' weight that questions of one group have in common


class UnansweredQuestion(models.Model):
    """A customer's question that the assistant had no answer to."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+", db_index=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+")
    message_id = models.BigIntegerField(help_text="The customer's message.")
    text = models.CharField(max_length=LONGEST)
    asked_at = models.DateTimeField(db_default=Now(), editable=False)
    done_at = models.DateTimeField(null=True, blank=True, help_text="When it was answered or dismissed.")

    class Meta:
        db_table = "unanswered_questions"
        constraints = [models.UniqueConstraint(fields=["message_id"], name="unanswered_question_once")]
        indexes = [
            # The list of a business's open ones, newest first.
            models.Index(fields=["tenant", "-id"], name="unanswered_question_open", condition=Q(done_at=None)),
        ]

    def __str__(self) -> str:
        return f"Question {self.pk}"  # the admin's log, which outlives the question, keeps this


@dataclass(slots=True)
class Group:
    """Questions that ask the same, newest first."""

    questions: list[UnansweredQuestion]
    words: frozenset[str]
    examples: list[str] = field(default_factory=list)  # other wordings

    @property
    def text(self) -> str:
        return self.questions[0].text

    @property
    def ids(self) -> str:
        return ",".join(str(question.pk) for question in self.questions)


def grouped(questions: Iterable[UnansweredQuestion]) -> list[Group]:
    """The questions, in groups of those alike: the largest first, then the newest."""
    given = [(question, frozenset(query_words(question.text))) for question in questions]
    counts = Counter((question.tenant_id, word) for question, words in given for word in words)
    asked = Counter(question.tenant_id for question, _ in given)
    weights = {
        (tenant_id, word): math.log((asked[tenant_id] + 1) / (number + 0.5)) + 0.5
        for (tenant_id, word), number in counts.items()
    }

    def weight(tenant_id: int, words: frozenset[str]) -> float:
        return sum(weights[tenant_id, word] for word in words)

    groups: list[Group] = []
    for question, words in given:
        for group in groups:
            if group.questions[0].tenant_id != question.tenant_id:
                continue
            shared = words & group.words
            if words == group.words or (
                shared and weight(question.tenant_id, shared) >= ALIKE * weight(question.tenant_id, words | group.words)
            ):
                group.questions.append(question)
                break
        else:
            groups.append(Group([question], words))
    for group in groups:
        others = dict.fromkeys(question.text for question in group.questions if question.text != group.text)
        group.examples = list(others)[:3]
    return sorted(groups, key=lambda group: -len(group.questions))


def what_people_replied(questions: Iterable[UnansweredQuestion]) -> str:
    """What someone on the team wrote after one of these questions, the newest first; '' if no one did."""
    for question in questions:
        replies = ConversationMessage.objects.filter(
            conversation=question.conversation_id, pk__gt=question.message_id, origin__in=("operator", "app")
        )
        if text := replies.exclude(text="").order_by("pk").values_list("text", flat=True).first():
            return text
    return ""
