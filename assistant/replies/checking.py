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


@dataclasses.dataclass(frozen=True, slots=True)
class Known:
    """What the model has been shown of the business's knowledge.

    texts: as they stand in the prompt. links: texts whose links may be sent. is_foreign: whether some of it was written
    by others, such as a web page.
    """

    texts: Sequence[str] = ()
    links: Sequence[str] = ()
    is_foreign: bool = False


NOTHING_KNOWN = Known()


def check(
    completion: Completion,
    assistant: Assistant,
    messages: Sequence[dict[str, object]],
    today: dt.date | None = None,
    steps: Sequence[dict[str, object]] = (),
    known: Known = NOTHING_KNOWN,
) -> Completion:
    """The completion without links to unknown hosts, and with a warning if the team should look at it.

    messages, steps: the history that the model was shown, and what it did since. known: what these contain of the
    business's knowledge, and what was shown before them. Raises ModelFailed if nothing is left, if it gives the
    instructions away, or if it states unknown facts and the assistant's fact check is enforced.
    """
    # A price list is no talk about each of its prices: any sum of them would be fine.
    talk = [_without(known.texts, _words(message)) for message in [*messages, *steps]]
    shown = Shown("\n".join([assistant.instructions, *known.texts]), "\n".join(talk))
    if gives_away(completion.text, assistant.instructions):
        raise ModelFailed("leaked", "it repeats your instructions, which are not for customers", billed=completion)
    # Not what a customer wrote, or a page says: anyone could have a link sent by naming it.
    ours = [_words(message) for message in messages if message["role"] == "assistant"]
    results = [_without(known.texts, _words(step)) for step in steps if step["role"] == "tool"]
    hosts = assistant.allowed_hosts.split()
    text, removed = keep_links(completion.text, [assistant.instructions, *known.links, *ours, *results], hosts)
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


def _without(texts: Sequence[str], words: str) -> str:
    for text in texts:
        words = words.replace(text, "")
    return words


def _words(message: dict[str, object]) -> str:
    content = message["content"]
    parts = content if isinstance(content, list) else [{"text": content}]
    return " ".join(str(part.get("text", "")) for part in parts)
