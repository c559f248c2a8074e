"""What the assistant remembers, and what that costs: evidence in the prompt, facts by depth, tokens and caches."""

import datetime as dt
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from django.utils import timezone

from assistant.model import context, requests
from assistant.model.text import TOKEN_CHARACTERS
from assistant.models import Assistant, Dialect
from assistant.prompt import recall
from assistant.tests import planted
from assistant.tools.own import LeadFieldSpec, Toolbox
from assistant.turns.situation import Situation
from bench import database, public_data
from bench.stack import NUMBER, Scale
from bench.tables import Goal, Skipped, goal, percentile, print_table
from conversations.history.messages import Window, get_or_create_conversation, windows_of
from conversations.history.older import Older
from conversations.models import Conversation, ConversationMessage
from runtime.untrusted_json import Json, as_dict, as_list, as_text
from sandbox.model import reader
from tenants.hours import Hours

DEPTHS = (10, 20, 50, 100, 200, 500, 1_000, 2_000)
PER_DEPTH = 5
LENGTHS = (20, 200, 2_000)
LAST = 50  # replies that a cost is the mean of
CUSTOMER, REPLY = 25, 60  # tokens of a message
CACHED_FROM, CACHE_STEP = 1_024, 128  # tokens, as OpenAI's
WORDS = ("oak", "elm", "ash", "fir", "yew", "bay", "fig", "nut", "hop", "rye", "oat", "pea", "corn", "kale", "dill")
QUESTIONS = {1: "several messages", 2: "a time", 3: "an inference", 4: "one message"}


def run(scale: Scale) -> list[Goal]:
    database.empty()
    goals = [*depth(), *cost()]
    try:
        goals += evidence(scale)
    except Skipped as reason:
        print(f"LoCoMo is left out: {reason}")
    return goals


def tokens(text: str) -> int:
    return len(text) // TOKEN_CHARACTERS


@dataclass
class Talk:
    """A conversation as the assistant sees it, reply after reply."""

    row: Conversation
    assistant: Assistant = field(default_factory=Assistant)
    tools: Sequence[Json] = ()
    begins: int | None = None
    history: list[ConversationMessage] = field(default_factory=list)
    recalled: recall.Recalled = field(default_factory=recall.Recalled)

    def say(self, role: str, text: str) -> ConversationMessage:
        origin = "customer" if role == "user" else "assistant"
        return ConversationMessage.objects.create(conversation=self.row, role=role, origin=origin, text=text)

    def ask(self, question: str, recalls: bool = True, situation: bool = True) -> Json:
        """The request for the reply to this question, which is stored."""
        asked = self.say("user", question)
        window = Window(self.row.pk, self.assistant.history_limit, self.assistant.history_growth, self.begins, asked.pk)
        self.history = windows_of([window], context.SILENT)[self.row.pk]
        first = self.history[0]
        self.begins = first.pk
        self.recalled = recall.Recalled()
        if recalls and len(self.history) >= self.assistant.history_limit:
            self.recalled = recall.find(Older(self.row.pk, first.created_at, first.pk), question)
        messages = [shown.as_message() for shown in context.show(self.history, asked.pk)]
        if situation:
            sections = [self.recalled.text] if self.recalled.text else []
            now = Situation.at(timezone.now(), Hours(), "", {})
            messages = now.added_to(messages, self.assistant, sections)
        return requests.build(messages, self.assistant, Dialect(), self.tools)


def talk(name: str, **more: Any) -> Talk:
    return Talk(get_or_create_conversation(_tenant_id(), NUMBER, name), **more)


def written(body: Json) -> str:
    """A request as the service reads it, from its beginning."""
    said = [as_dict(message) for message in as_list(body["messages"])]
    tools = json.dumps(body.get("tools", ""), ensure_ascii=False)
    return tools + "\n".join(f"{message['role']}: {message['content']}" for message in said)


def depth() -> list[Goal]:
    """Facts planted at growing depths, and a model that answers only from its prompt."""
    facts = iter(planted.FACTS)
    places = {ago + n: next(facts) for ago in DEPTHS for n in range(PER_DEPTH)}
    one = talk("depth")
    everything = sum(tokens(row.text) for row in planted.converse(one.row, max(places), places))
    rows, found, sent = [], dict.fromkeys(DEPTHS, 0), []
    for ago, fact in places.items():
        body = one.ask(fact.question)
        reply = reader.answer([as_dict(message) for message in as_list(body["messages"])])
        one.say("assistant", reply)
        found[max(each for each in DEPTHS if each <= ago)] += fact.name in reply
        sent.append(tokens(written(body)))
    for ago in DEPTHS:
        rows.append([ago, f"{found[ago] / PER_DEPTH:.0%}", f"{100 if ago <= 20 else 0}%", "100%"])
    heads = ["messages ago", "remembered", "with the last 20 messages", "with everything"]
    print_table(f"Facts by depth: {mean(sent):,.0f} tokens per request, everything: {everything:,}", heads, rows)
    least, share = min(found.values()) / PER_DEPTH, mean(sent) / everything
    return [
        goal("facts remembered, at every depth", f"{least:.0%}", "at least 98 %", least >= 0.98),
        goal("tokens at 2,000 messages", f"{share:.1%}", "at most 5 %", share <= 0.05),
    ]


def phrase(number: int, length: int) -> str:
    """A message of this many tokens, unlike the others."""
    words = [WORDS[(number * 7 + n * n) % len(WORDS)] + str((number * 31 + n) % 997) for n in range(length)]
    return " ".join(words)[: length * TOKEN_CHARACTERS].ljust(length * TOKEN_CHARACTERS, ".")


def _tools(size: int) -> list[Json]:
    """The assistant's own tools, with as many fields as it takes to fill this many tokens."""
    fields: list[LeadFieldSpec] = []
    while True:
        tools = Toolbox(fields, "A member of the team will reply here.").definitions()
        if tokens(json.dumps(tools)) >= size:
            return tools
        fields.append(LeadFieldSpec(f"field_{len(fields)}", "text", "What the customer said about it."))


@dataclass(frozen=True)
class Cost:
    """Of a reply, on average. units: tokens, of which those from a cache count a tenth."""

    sent: float
    reused: float
    units: float

    @property
    def share(self) -> float:
        return self.reused / self.sent


def _cost(length: int, growth: int, recalls: bool = False, situation: bool = True) -> Cost:
    """The last replies of a conversation of this length."""
    assistant = Assistant(instructions=phrase(0, 600), history_growth=growth)
    one = talk(f"cost{length}{growth}{recalls}{situation}", assistant=assistant, tools=_tools(500))
    replies = min(LAST, length // 2)
    now = timezone.now()
    ConversationMessage.objects.bulk_create(
        ConversationMessage(
            conversation=one.row,
            role="assistant" if n % 2 else "user",
            origin="assistant" if n % 2 else "customer",
            text=phrase(n, REPLY if n % 2 else CUSTOMER),
            created_at=now - dt.timedelta(minutes=length - n),
        )
        for n in range(length - 2 * replies)
    )
    before, sent, reused, matched = "", [], [], []
    for n in range(replies):
        text = written(one.ask(phrase(n + 5000, CUSTOMER), recalls, situation))
        common = tokens(text[: _common(before, text)])
        sent.append(tokens(text))
        matched.append(common)
        reused.append(common // CACHE_STEP * CACHE_STEP if common >= CACHED_FROM else 0)
        one.say("assistant", phrase(n + 9000, REPLY))
        before = text
    units = [total - 0.9 * cached for total, cached in zip(sent, reused, strict=True)]
    return Cost(mean(sent[1:]), mean(matched[1:]), mean(units[1:]))


def _common(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def cost() -> list[Goal]:
    rows: list[list[object]] = []
    found: dict[tuple[str, int], Cost] = {}
    ways = {
        "the last 20": {"growth": 0, "situation": False},
        "20 to 60": {"growth": 40, "situation": False},
        "20 to 60, with the situation": {"growth": 40},
        "20 to 60, with the situation and recall": {"growth": 40, "recalls": True},
    }
    for name, options in ways.items():
        for length in LENGTHS:
            one = found[name, length] = _cost(length, **options)  # type: ignore[arg-type]
            rows.append([name, length, one.sent, f"{one.share:.0%}", one.units])
    heads = ["window", "messages", "tokens per request", "the same as in the request before", "cost"]
    print_table("The cost of a reply (a token from the cache counts 0.1)", heads, rows)
    stepped = {length: found["20 to 60", length] for length in (200, 2_000)}
    shown = found["20 to 60, with the situation", 2_000]
    recalled = found["20 to 60, with the situation and recall", 2_000]
    share, most = min(each.share for each in (*stepped.values(), shown)), max(each.units for each in stepped.values())
    return [
        goal(
            "share of a request that a cache can reuse, long conversations",
            f"{share:.0%}; {recalled.share:.0%} with recall",
            "at least 90 % without recall",
            share >= 0.9,
        ),
        goal(
            "input cost of a reply at 200 and 2,000 messages",
            f"{most:.0f}; {shown.units:.0f} with the situation",
            "at most 470 without recall",
            most <= 470,
        ),
    ]


@dataclass(frozen=True)
class Question:
    text: str
    category: int
    evidence: frozenset[int]  # the IDs of the messages that answer it


def evidence(scale: Scale) -> list[Goal]:
    """LoCoMo: whether the messages that answer a question at the end of a long conversation are in the prompt."""
    limit = Assistant().history_limit
    shares: dict[int, list[float]] = {category: [] for category in QUESTIONS}
    added, took, last_only, everything = [], [], [], []
    for number, talk in enumerate(public_data.load("locomo10.json")):
        rows, questions = _stored(number, talk)
        window = {row.pk for row in rows[-limit:]}
        where = Older(rows[0].conversation_id, rows[-limit].created_at, rows[-limit].pk)
        everything.append(sum(tokens(row.text) for row in rows))
        for question in questions[:: scale.divisor]:
            began = time.perf_counter()
            recalled = recall.find(where, question.text)
            took.append((time.perf_counter() - began) * 1000)
            seen = window | set(recalled.ids)
            shares[question.category].append(len(question.evidence & seen) / len(question.evidence))
            last_only.append(len(question.evidence & window) / len(question.evidence))
            added.append(tokens(recalled.text))
    all_shares = [share for found in shares.values() for share in found]
    rows_of = [[f"answered by {name}", len(shares[n]), f"{mean(shares[n]):.1%}"] for n, name in QUESTIONS.items()]
    rows_of += [["all, with recall", len(all_shares), f"{mean(all_shares):.1%}"]]
    rows_of += [["all, the last 20 messages alone", len(all_shares), f"{mean(last_only):.1%}"]]
    title = (
        f"LoCoMo: recall adds {mean(added):,.0f} tokens, at most {max(added):,}; everything: {mean(everything):,.0f}"
    )
    print_table(title, ["questions", "", "evidence in the prompt"], rows_of)
    print(f"One search took {percentile(took, 50):.1f} ms (p95 {percentile(took, 95):.1f} ms)")
    return [
        goal(
            "LoCoMo, evidence in the prompt",
            f"{mean(all_shares):.1%} with {mean(added):,.0f} tokens, at most {max(added):,}",
            "at least 80 % with at most 1,000 tokens besides the window",
            mean(all_shares) >= 0.8 and max(added) <= 1000,
        )
    ]


def _stored(number: int, talk: Json) -> tuple[list[ConversationMessage], list[Question]]:
    """One of LoCoMo's conversations, with the questions that it can answer."""
    row = get_or_create_conversation(_tenant_id(), NUMBER, f"locomo{number}")
    said = as_dict(talk["conversation"])
    messages, names = [], []
    for session in range(1, len(said)):
        when = as_text(said.get(f"session_{session}_date_time"))
        for position, turn in enumerate(map(as_dict, as_list(said.get(f"session_{session}")))):
            caption = f" [image] {turn['blip_caption']}" if turn.get("blip_caption") else ""
            role = "user" if turn["speaker"] == said["speaker_a"] else "assistant"
            start = dt.datetime.strptime(when, "%I:%M %p on %d %B, %Y").replace(tzinfo=dt.UTC)
            names.append(as_text(turn["dia_id"]))
            messages.append(
                ConversationMessage(
                    conversation=row,
                    role=role,
                    origin="customer" if role == "user" else "assistant",
                    text=f"{turn['text']}{caption}",
                    created_at=start + dt.timedelta(minutes=position),
                )
            )
    rows = ConversationMessage.objects.bulk_create(messages)
    ids = {name: row.pk for name, row in zip(names, rows, strict=True)}
    questions = []
    for each in map(as_dict, as_list(talk["qa"])):
        category = each["category"]
        named = re.findall(r"D\d+:\d+", " ".join(map(as_text, as_list(each["evidence"]))))
        found = frozenset(ids[name] for name in named if name in ids)
        if found and isinstance(category, int) and category in QUESTIONS:
            questions.append(Question(as_text(each["question"]), category, found))
    return sorted(rows, key=lambda row: (row.created_at, row.pk)), questions


def _tenant_id() -> int:
    tenant = database.objects("tenants").first()
    assert tenant is not None
    return int(tenant.pk)
