"""JSON log lines have the IDs of the work they're about."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.logs import context
from runtime.logs.formatting import JsonFormatter


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("test.json")
    logger.addHandler(handler)
    yield stream
    logger.removeHandler(handler)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_a_line_has_the_ids_of_the_work_around_it(written: io.StringIO) -> None:
    context.start()  # a request in another test may have left its ID
    logger = logging.getLogger("test.json")
    with context.bound(conversation_id=1, turn_id=2), context.bound(message_id=3, turn_id=None):
        logger.warning("with %s", "“all”\nof them")
    logger.warning("without")
    first, second = lines(written)
    assert first["message"] == "with “all”\nof them"
    assert [first[name] for name in ("conversation_id", "turn_id", "message_id")] == [1, 2, 3]
    assert set(second) == {"time", "level", "logger", "message"}


def test_a_line_of_a_batch_has_only_its_own_ids(written: io.StringIO) -> None:
    with context.bound(conversation_id=1, turn_id=2):
        logging.getLogger("test.json").warning("another", extra=context.about(conversation_id=5))
    (line,) = lines(written)
    assert line["conversation_id"] == 5
    assert "turn_id" not in line


def test_an_exception_is_one_line(written: io.StringIO) -> None:
    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger("test.json").exception("it failed")
    (line,) = lines(written)
    assert line["exception"].endswith("ValueError: no")
