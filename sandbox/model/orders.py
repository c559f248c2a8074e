"""An order, put together from what a customer wrote over several messages."""

import datetime as dt
import re
from dataclasses import dataclass, field
from decimal import Decimal

from sandbox.model.knowledge import Item, Knowledge
from sandbox.model.language import LANGUAGES, Language, means, said

Turns = list[tuple[str, str]]  # role and text, oldest first

_DATE = re.compile(
    r"\b\d{1,2}\.\s?\d{1,2}\.|\b\d{1,2}/\d{1,2}\b|\b(?:the )?\d{1,2}(?:st|nd|rd|th)\b|\b\d{4}-\d\d-\d\d\b"
)
_BEFORE_NAME = re.compile(
    r"^\W*(?:(?:my name is|name'?s|i am|i'm|it's|under|for|auf(?: den namen)?|mein name ist|ich heiße|a nombre de|"
    r"me llamo|mi nombre es|soy)\s+)+",
    re.I,
)
_NOW = re.compile(r"Now: \w+, (\d{4}-\d\d-\d\d)")


@dataclass(slots=True)
class Order:
    amounts: dict[Item, int] = field(default_factory=dict)
    unclear: list[Item] = field(default_factory=list)  # it could be any of these
    day: str = ""
    name: str = ""
    step: str = ""  # the phrase that goes on with the order; "" if the last message isn't about it

    def described(self, texts: str, language: Language) -> str:
        """In the words of the customer's texts."""
        items = [f"{amount} × {item.named_as(texts)}" for item, amount in self.amounts.items()]
        return language.translated(", ".join(items))

    @property
    def total(self) -> str:
        first = next(iter(self.amounts))
        return first.money(sum((item.price * amount for item, amount in self.amounts.items()), Decimal()))

    def date(self, situation: str) -> str:
        """Its day as an ISO date, counted from the day in the situation; '' if that can't be said."""
        now = _NOW.search(situation)
        number = next((each.days.index(self.day) for each in LANGUAGES if self.day in each.days), None)
        if now is None or number is None:
            return ""
        today = dt.date.fromisoformat(now[1])
        later = number - 7 if number >= 7 else (number - today.weekday()) % 7 or 7
        return (today + dt.timedelta(days=later)).isoformat()


def read(turns: Turns, knowledge: Knowledge, known_name: str) -> Order:
    """What the customer has ordered since the last order was passed on, and how to go on."""
    order, is_open, last = Order(), False, ""
    mentioned: list[Item] = []
    for role, text in turns:
        if role == "assistant":
            last = text
            if said("ordered", text) or said("cancelled", text):
                order, is_open = Order(), False
            continue
        order.step = ""
        items, unclear = knowledge.named(text)
        agrees = means("yes", text) and said("order_it", last)
        if is_open and means("no", text) and any(said(each, last) for each in ("for_when", "for_whom", "confirm")):
            order, is_open = Order(step="cancelled"), False
        elif is_open and means("yes", text) and said("confirm", last):
            order.step = "ordered"
        else:
            asks = means("price", text) or text.rstrip().endswith("?")
            starts = means("order", text) and bool(items or unclear) and not means("price", text)
            chooses = bool(items) and not asks and (said("order_one", last) or means("please", text))
            is_open = is_open or starts or chooses or agrees
            day, name = _day(text), _name(text) if said("for_whom", last) else ""
            if is_open and (items or unclear or day or name or agrees):
                for item in items or (mentioned if agrees else []):
                    order.amounts[item] = _amount(item, text)
                order.unclear = [] if items else unclear if not order.amounts else []
                order.day, order.name = day or order.day, name or order.name
                order.step = _next_step(order, known_name)
        mentioned = items or mentioned
    order.name = order.name or known_name
    return order


def _next_step(order: Order, known_name: str) -> str:
    if not order.amounts:
        return "order_one"
    if not order.day:
        return "for_when"
    return "confirm" if order.name or known_name else "for_whom"


def _day(text: str) -> str:
    plain = re.sub(r"\b(guten morgen|good morning|buenos días)\b", "", text, flags=re.I)
    for language in LANGUAGES:
        for day in language.days:
            if re.search(rf"\b{day}s?\b", plain, re.I):
                return day
    found = _DATE.search(plain)
    return found[0] if found else ""


def _name(text: str) -> str:
    words = _BEFORE_NAME.sub("", text).strip(" .,!").split()
    return " ".join(words).title() if 1 <= len(words) <= 4 else ""


def _amount(item: Item, text: str) -> int:
    """The number before the item's name; 1 if there's none."""
    words = re.findall(r"\w+", text.lower())
    named = {part for name in item.names for part in re.findall(r"\w{3,}", name.lower())}
    numbers = {word: number for language in LANGUAGES for word, number in language.numbers.items()}
    place = next((n for n, word in enumerate(words) if any(word.startswith(part) for part in named)), len(words))
    for word in reversed(words[max(0, place - 2) : place]):
        if word.isdigit() or word in numbers:
            return min(int(word) if word.isdigit() else numbers[word], 99)
    return 1


def reply_to(order: Order, turns: Turns, language: Language, next_step: str) -> str:
    texts = "\n".join(text for role, text in turns if role == "user")
    if order.step == "order_one":
        return price_list(order.unclear, texts, language)
    return language.say(
        order.step,
        order=order.described(texts, language),
        day=order.day,
        name=order.name,
        total=order.total if order.amounts else "",
        next=next_step,
    ).strip()


def price_list(items: list[Item], texts: str, language: Language) -> str:
    """With the question which one it should be."""
    lines = [f"- {language.translated(item.named_as(texts))}: {item.money(item.price)}" for item in items]
    return "\n".join([language.say("prices"), *lines, language.say("order_one")])
