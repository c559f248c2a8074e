"""Checks a reply against what the model was shown: its links, the facts it states, and what it gives away."""

import dataclasses
import datetime as dt
from collections.abc import Sequence

from django.utils import timezone

from assistant.model.errors import Completion, ModelFailed
from assistant.models import Assistant

from .grounding import Shown, unknown_facts
from .links import keep_links
from .secrecy import gives_away


def check(
    completion: Completion,
    assistant: Assistant,
    messages: Sequence[dict[str, object]],
    today: dt.date | None = None,
    steps: Sequence[dict[str, object]] = (),
) -> Completion:
    """The completion without links to unknown hosts, and with a warning if the team should look at it.

    messages, steps: the history that the model was shown, and what it did since. Raises ModelFailed if nothing is left,
    if it gives the instructions away, or if it states unknown facts and the assistant's fact check is enforced.
    """
    shown = Shown(assistant.instructions, "\n".join(map(_words, [*messages, *steps])))
    if gives_away(completion.text, assistant.instructions):
        raise ModelFailed("leaked", "it repeats your instructions, which are not for customers", billed=completion)
    # Not what a customer wrote, or a page says: anyone could have a link sent by naming it.
    ours = [_words(message) for message in messages if message["role"] == "assistant"]
    results = [_words(step) for step in steps if step["role"] == "tool"]
    hosts = assistant.allowed_hosts.split()
    text, removed = keep_links(completion.text, [shown.instructions, *ours, *results], hosts)
    if removed and not any(map(str.isalnum, text)):
        raise ModelFailed("unreadable", "the response is only a link that isn't allowed", billed=completion)
    unknown = []
    if assistant.fact_check != Assistant.FactCheck.OFF:
        unknown = unknown_facts(text, shown, today or timezone.now().date())
    facts = f"{', '.join(unknown)} isn't in the instructions or the conversation" if unknown else ""
    if unknown and assistant.fact_check == Assistant.FactCheck.ENFORCE:
        raise ModelFailed("invented", facts, billed=completion)
    links = f"a link to {', '.join(removed)} was removed" if removed else ""
    warning = "; ".join(filter(None, [facts, links]))
    return dataclasses.replace(completion, text=text, warning=f"Check this reply: {warning}." if warning else "")


def _words(message: dict[str, object]) -> str:
    content = message["content"]
    parts = content if isinstance(content, list) else [{"text": content}]
    return " ".join(str(part.get("text", "")) for part in parts)
