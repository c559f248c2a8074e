"""The request for an answer, in the endpoint's dialect. Pure."""

from collections.abc import Sequence

from assistant.dialects import Dialect
from assistant.models import Assistant
from assistant.tools.own import protocol
from runtime.untrusted_json import Json

from .context import UNSEEN

WE_BEGAN = "(The business wrote first.)"
GO_ON = "(The customer is waiting for a reply.)"
BEGINNING = "(The conversation with the customer begins here.)"
_SPOKEN = {"role", "content"}  # all that a message has, unless it's about tools


def build(
    messages: Sequence[Json], assistant: Assistant, dialect: Dialect, tools: Sequence[Json] = (), cache_key: str = ""
) -> Json:
    """The body of the request. messages: `{"role": …, "content": …}`, oldest first, without the instructions.

    cache_key: names the conversation, whose prompts begin the same.
    """
    limit = assistant.output_tokens
    body: Json = {
        "model": assistant.model_name,
        "messages": _prompt(messages, _instructions(assistant, dialect, tools), dialect),
        dialect.output_limit: min(limit, dialect.most_output_tokens or limit),
    }
    if assistant.temperature is not None and dialect.temperature:
        body["temperature"] = assistant.temperature
    if tools and dialect.tools:
        body["tools"] = list(tools)
    if cache_key and dialect.sends_cache_key:
        body["prompt_cache_key"] = cache_key
    return body


def _instructions(assistant: Assistant, dialect: Dialect, tools: Sequence[Json]) -> str:
    """Describes the tools in text, for an endpoint that doesn't support tool calls."""
    if not tools or dialect.tools:
        return assistant.instructions
    return f"{assistant.instructions}\n\n{protocol(tools)}"


def _prompt(messages: Sequence[Json], instructions: str, dialect: Dialect) -> list[Json]:
    """The instructions come first and unchanged, so that the service can cache them."""
    is_plain = dialect.instructions == Dialect.Instructions.SYSTEM and not dialect.user_first
    said = [_adapted(message, dialect.images, is_plain) for message in messages]
    if dialect.user_first and said and said[-1]["role"] == "assistant":
        said.append({"role": "user", "content": GO_ON})
    begins_with_us = bool(said) and said[0]["role"] == "assistant"
    if instructions.strip() and dialect.instructions == Dialect.Instructions.USER:
        said.insert(0, {"role": "user", "content": f"{instructions}\n\n{BEGINNING}"})
    elif begins_with_us and dialect.user_first:
        said.insert(0, {"role": "user", "content": WE_BEGAN})
    if instructions.strip() and dialect.instructions != Dialect.Instructions.USER:
        said.insert(0, {"role": dialect.instructions, "content": instructions})
    return _joined(said)


def _adapted(message: Json, images: bool, is_plain: bool) -> Json:
    """is_plain: a message in the middle may have the role system."""
    content = message["content"]
    if isinstance(content, list) and not images:
        texts = [part["text"] if part.get("type") == "text" else UNSEEN for part in content]
        message = {**message, "content": "\n".join(dict.fromkeys(texts))}
    return message if is_plain or message["role"] != "system" else {**message, "role": "user"}


def _joined(messages: Sequence[Json]) -> list[Json]:
    """Neighbours of the same role become one message."""
    joined: list[Json] = []
    for message in messages:
        if joined and joined[-1]["role"] == message["role"] and joined[-1].keys() == message.keys() == _SPOKEN:
            joined[-1] = {**joined[-1], "content": _both(joined[-1]["content"], message["content"])}
        else:
            joined.append(message)
    return joined


def _both(first: object, second: object) -> object:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n{second}"
    return [*_parts(first), *_parts(second)]


def _parts(content: object) -> list[object]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]
