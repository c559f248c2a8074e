"""The sandbox model plays the assistant that its instructions describe."""

import json
from typing import Any

import pytest

from sandbox.model.replies import read, reply, tool_calls

INSTRUCTIONS = """You are the assistant of Harbour Bakery, a bakery in Palma.
Prices:
- Rye bread / Roggenbrot / pan de centeno: €3.80
- Strawberry cake / Erdbeertorte / tarta de fresa (8 people): €28
- Chocolate cake / Schokoladentorte / tarta de chocolate (12 people): €36
Opening hours: Monday to Saturday 7:00 to 19:00, Sunday 8:00 to 13:00
Delivery: €5 within Palma, free for orders over €40.
Payment: cash, card or Bizum.
If a customer complains, hand over to a colleague."""
SITUATION = """<situation>
Now: Friday, 2026-11-27, 10:00 (CET).
Known about the customer: {"name": "Ada Okafor"}
</situation>
"""
TOOLS = [
    {"type": "function", "function": {"name": "hand_over", "parameters": {}}},
    {
        "type": "function",
        "function": {
            "name": "note_lead",
            "parameters": {
                "properties": {
                    "order": {"type": "string", "description": "What they order."},
                    "needed_on": {"type": "string", "description": "The day. As YYYY-MM-DD."},
                    "allergies": {"type": "string", "description": "Allergies."},
                }
            },
        },
    },
]
RECORDED = "Recorded. In your reply, tell the customer what happens next, and promise nothing else: Back at nine."


def talk(*texts: str, instructions: str = INSTRUCTIONS, situation: str = SITUATION) -> tuple[list[str], list[Any]]:
    """The replies, and the tools called for the last text."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": instructions}]
    replies, calls = [], []
    for text in texts:
        asked = [*messages, {"role": "user", "content": situation + text}]
        if calls := tool_calls({"messages": asked, "tools": TOOLS}):
            asked += [{"role": "assistant", "content": None}, {"role": "tool", "content": RECORDED}]
        replies.append(reply(read(asked)))
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": replies[-1]}]
    return replies, [(each["function"]["name"], json.loads(each["function"]["arguments"])) for each in calls]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello", "Hello, Ada! I'm the assistant of Harbour Bakery."),
        (
            "How much is a birthday cake for 12 people?",
            "Chocolate cake (12 people) is €36. Would you like to order it?",
        ),
        ("do you have cakes?", "- Strawberry cake (8 people): €28\n- Chocolate cake (12 people): €36"),
        ("What's on the menu?", "- Rye bread: €3.80"),
        ("When do you open on Sunday?", "Monday to Saturday 7:00 to 19:00, Sunday 8:00 to 13:00"),
        ("Can I pay by card?", "Payment: cash, card or Bizum."),
        ("do you deliver", "Delivery: €5 within Palma"),
        ("Hallo, was kostet eine Erdbeertorte?", "Erdbeertorte (8 Personen) kostet €28."),
        ("Wann habt ihr geöffnet?", "Montag bis Samstag 7:00 bis 19:00"),
        ("¿Cuánto cuesta la tarta de chocolate?", "Tarta de chocolate (12 personas) cuesta €36."),
        ("¿A qué hora abren?", "lunes a sábado"),
        ("Is the owner married?", "I'm afraid I don't know that. Shall I ask a colleague?"),
    ],
)
def test_it_answers_from_its_instructions(text: str, words: str) -> None:
    assert words in talk(text)[0][-1]


def test_other_instructions_give_other_replies() -> None:
    changed = INSTRUCTIONS.replace("Harbour Bakery", "Crumb").replace("€36", "€39.50")
    more = f"{changed}\nGreet customers with “Ahoy”.\nEnd every reply with “🥐”."
    replies, _ = talk("hi", "how much is the chocolate cake", instructions=more)
    assert replies[0] == "Ahoy, Ada! I'm the assistant of Crumb. How can I help? 🥐"
    assert "€39.50" in replies[1]


def test_it_takes_an_order_over_several_messages_and_hands_it_over() -> None:
    replies, calls = talk("How much is the strawberry cake?", "Yes, two please", "On Saturday", "yes")
    assert replies[1] == "Gladly: 2 × Strawberry cake (8 people). What day do you need it for?"
    assert "for Saturday, under the name Ada. That comes to €56." in replies[2]
    assert replies[3].startswith("Thank you, Ada! I've passed your order on")
    assert replies[3].endswith("Back at nine.")
    noted = {"order": "2 × Strawberry cake (8 people)", "needed_on": "2026-11-28"}
    assert [name for name, _ in calls] == ["hand_over", "note_lead"]
    assert (calls[0][1]["reason"], calls[1][1]) == ("sale", noted)


def test_it_asks_for_the_name_it_does_not_know_and_answers_questions_in_between() -> None:
    replies, _ = talk("I'd like a rye bread", "When are you open?", "tomorrow", "Ann Lee", "no", situation="")
    assert "What day" in replies[0]
    assert "opening hours" in replies[1]
    assert "What name" in replies[2]
    assert "under the name Ann Lee. That comes to €3.80" in replies[3]
    assert "dropped the order" in replies[4]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["I want to speak to a human"], "asked"),
        (["Kann ich mit einem Mitarbeiter sprechen?"], "asked"),
        (["The cake was burnt, I'd like a refund"], "complaint"),
        (["Is the owner married?", "yes please"], "cant_answer"),
    ],
)
def test_it_hands_over(texts: list[str], reason: str) -> None:
    _, calls = talk(*texts)
    assert [(name, arguments["reason"]) for name, arguments in calls] == [("hand_over", reason)]


def test_without_tools_it_only_says_so() -> None:
    assert tool_calls({"messages": [{"role": "user", "content": "a human please"}]}) == []
