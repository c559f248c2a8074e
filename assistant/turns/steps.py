"""The steps of a turn: model answers that led to a call. Each is committed before anything follows from it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from django.db import models
from django.db.models.functions import Now

from assistant.tools.own import REPLY_NOW, ToolCall
from runtime.untrusted_json import Json, as_dict, as_list, as_text

MOST_STEPS = 6


@dataclass(frozen=True, slots=True)
class Step:
    """One answer with its calls and their results. seen_id: the newest message that the model had been shown."""

    text: str
    calls: Sequence[ToolCall]
    results: Sequence[str]
    seen_id: int

    def as_messages(self) -> list[Json]:
        """The answer and its results, as the model expects them next."""
        if not any(call.id for call in self.calls):
            written = [json.dumps({"tool": call.name, **call.arguments}, ensure_ascii=False) for call in self.calls]
            told = REPLY_NOW.format(" ".join(self.results))
            return [{"role": "assistant", "content": "\n".join(written)}, {"role": "user", "content": told}]
        called: Json = {
            "role": "assistant",
            "content": self.text or None,
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
                }
                for call in self.calls
            ],
        }
        results: list[Json] = [
            {"role": "tool", "tool_call_id": call.id, "content": said}
            for call, said in zip(self.calls, self.results, strict=True)
        ]
        return [called, *results]


class NewStep(NamedTuple):
    turn_id: int
    generation: int
    position: int
    step: Step


class TurnStep(models.Model):
    """A step of a turn. What a call would do is done by the transaction that closes the turn, if it sends a reply."""

    turn = models.ForeignKey("assistant.Turn", on_delete=models.CASCADE, related_name="steps", db_index=False)
    generation = models.PositiveIntegerField()
    position = models.PositiveSmallIntegerField()
    text = models.TextField(blank=True, default="", db_default="")
    calls = models.JSONField(help_text="Each with its name, arguments, id and result.")
    seen_id = models.BigIntegerField(help_text="The newest message that the model had been shown.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "turn_steps"
        constraints = [
            # Also the reader of a turn's steps.
            models.UniqueConstraint(fields=["turn", "generation", "position"], name="turn_step_once")
        ]

    def __str__(self) -> str:
        return f"step {self.position} of turn {self.turn_id}"


def store(steps: Sequence[NewStep]) -> list[bool]:
    """Store these steps. Safe to repeat."""
    rows = [
        TurnStep(
            turn_id=turn_id,
            generation=generation,
            position=position,
            text=step.text,
            calls=[{**asdict(call), "result": said} for call, said in zip(step.calls, step.results, strict=True)],
            seen_id=step.seen_id,
        )
        for turn_id, generation, position, step in steps
    ]
    TurnStep.objects.bulk_create(rows, ignore_conflicts=True)
    return [True] * len(rows)


def loaded(text: str | None, seen_id: int) -> list[Step]:
    """The steps of lost claims, from JSON, in order. The model continues from there unless a message has come since."""
    steps: dict[str, Step] = {}
    for row in map(as_dict, as_list(json.loads(text or "[]"))):
        if row["seen_id"] == seen_id:
            given = [as_dict(call) for call in as_list(row["calls"])]
            calls = [
                ToolCall(
                    as_text(call["name"]), as_dict(call["arguments"]), as_text(call["id"]), bool(call.get("is_refused"))
                )
                for call in given
            ]
            results = [as_text(call["result"]) for call in given]
            steps[as_text(row["position"])] = Step(as_text(row["text"]), calls, results, seen_id)
    return list(steps.values())
