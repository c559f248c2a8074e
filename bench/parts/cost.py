"""What a reply costs: tokens sent, and how many of them a prompt cache can reuse. Computed, not measured."""

import json
from collections.abc import Callable

from assistant.model import context
from assistant.model.client import TOKEN_CHARACTERS
from assistant.models import Assistant
from bench.stack import Scale
from bench.tables import Goal, print_table
from conversations.models import ConversationMessage

WINDOW, STEP, TURNS = 20, 10, 60
ASKED = "Hello, do you deliver to the old town on Sunday? I would like two rolls and a cake."
ANSWERED = "We deliver from Monday to Saturday, between nine and six. May I take your address?"
Window = Callable[[int], int]  # number of messages so far -> position of the first that is shown


def sliding(length: int) -> int:
    return max(0, length - WINDOW)


def stepped(length: int) -> int:
    """At most WINDOW messages; the first of them moves on STEP at a time."""
    return 0 if length <= WINDOW else -(-(length - WINDOW) // STEP) * STEP


def stepped_up(length: int) -> int:
    """At least WINDOW messages, up to STEP more."""
    return max(0, (length - WINDOW) // STEP * STEP)


def _prompts(first: Window) -> list[str]:
    said: list[ConversationMessage] = []
    prompts = []
    system = {"role": "system", "content": Assistant().instructions}
    for n in range(TURNS):
        said.append(ConversationMessage(pk=len(said) + 1, role="user", text=f"{ASKED} ({n})", kind="text"))
        shown = context.build(said[first(len(said)) :], said[-1].pk)
        prompts.append("".join(json.dumps(piece) for piece in (system, *shown)))
        said.append(ConversationMessage(pk=len(said) + 1, role="assistant", text=f"{ANSWERED} ({n})", kind="text"))
    return prompts


def _common(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def run(scale: Scale) -> list[Goal]:
    rows: list[list[object]] = []
    for name, window in (
        ("sliding 20 (as it is)", sliding),
        ("stepped, 11 to 20", stepped),
        ("stepped, 20 to 29", stepped_up),
    ):
        prompts = _prompts(window)
        for when, part in (("first 10 replies", range(1, 10)), ("later ones", range(20, TURNS))):
            sent = sum(len(prompts[n]) for n in part) / len(part) / TOKEN_CHARACTERS
            again = sum(_common(prompts[n - 1], prompts[n]) for n in part) / len(part) / TOKEN_CHARACTERS
            rows.append([name, when, sent, again, f"{again / sent:.0%}"])
    heads = ["window", "of a conversation", "tokens per reply", "of them the same as in the request before", ""]
    print_table("The cost of a reply (counting 4 characters as a token)", heads, rows)
    return []
