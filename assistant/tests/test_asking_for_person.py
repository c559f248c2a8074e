"""The safety net: who asks for a human is recognised, whatever the model does."""

from pathlib import Path

import pytest

from assistant.tools.asking_for_person import asks_for_person

HERE = Path(__file__).parent
ASKING = (HERE / "asking_for_person.txt").read_text(encoding="utf-8").splitlines()
ORDINARY = (HERE / "ordinary_messages.txt").read_text(encoding="utf-8").splitlines()


def test_customers_who_ask_for_a_person_are_recognised() -> None:
    missed = [text for text in ASKING if not asks_for_person(text)]
    assert len(ASKING) > 500
    assert len(missed) <= 0.01 * len(ASKING), missed


def test_ordinary_messages_are_not_taken_for_requests() -> None:
    flagged = [text for text in ORDINARY if asks_for_person(text)]
    assert len(ORDINARY) > 500
    assert len(flagged) <= 0.01 * len(ORDINARY), flagged


@pytest.mark.parametrize(
    "text", ["AGENT", "aaagent", "Ágent!", "agent 🙏", "hello, agent", "Hi. Agent. Thanks", "agant", "agnet", "agen"]
)
def test_capitals_accents_and_slips_of_typing_do_not_matter(text: str) -> None:
    assert asks_for_person(text)


def test_languages_can_be_mixed() -> None:
    assert asks_for_person("hola, can I bitte reden con una persona")


def test_a_very_long_text_is_read_up_to_a_limit() -> None:
    assert asks_for_person("I want to speak to a human " * 10_000)
    assert not asks_for_person("want not no need speak " * 10_000)
    assert not asks_for_person("talk please " * 10_000)
