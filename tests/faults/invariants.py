"""I1 to I6 of docs/reliability.md, checked from the database and the wire's log without any of the product's code."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

from .wire import Call

Row = dict[str, Any]
TAG = re.compile(r"\[(\w+)/(\w+)\]")
FINISHED = ("replied", "suppressed", "failed")
ARRIVED = ("sent", "delivered", "read")


class Asked(Protocol):
    """A database that answers queries with rows as dictionaries."""

    def rows(self, query: str, *values: object) -> Sequence[Row]: ...


def check(
    database: Asked,
    calls: Sequence[Call],
    acknowledged: Collection[str],
    *,
    unfinished: bool = False,
    statuses: bool = True,
    excused: Collection[str] = (),
) -> None:
    """Run after each fault test. unfinished: work may still be open. statuses: all status webhooks have arrived.
    excused: the wamids of messages that a customer wrote during a takeover, if the conversation has been handed back
    since.
    """
    messages = database.rows(
        "SELECT m.*, c.external_id AS customer, c.phone_number_id, c.tenant_id, c.handled_by, c.is_active"
        " FROM conversation_messages m JOIN conversations c ON c.id = m.conversation_id ORDER BY m.id"
    )
    turns = database.rows("SELECT * FROM turns ORDER BY id")
    outbound = [message for message in messages if message["role"] == "assistant" and message["status"]]
    stored_once(messages, database.rows("SELECT reason, raw FROM quarantined_events"), acknowledged)
    one_reply_a_turn(outbound, turns, calls)
    every_message_has_its_turn(messages, outbound, turns, unfinished, excused)
    states_agree(outbound, calls, statuses)
    in_order(outbound, calls)
    nothing_mixed(messages, calls)
    if not unfinished:
        nothing_open(outbound, turns)


def stored_once(messages: Iterable[Row], quarantined: Sequence[Row], acknowledged: Collection[str]) -> None:
    """I1"""
    stored = Counter((message["conversation_id"], message["external_id"]) for message in messages)
    doubles = [key for key, count in stored.items() if key[1] and count > 1]
    assert not doubles, f"I1: stored more than once: {doubles[:5]}"
    aside = json.dumps([row["raw"] for row in quarantined])
    assert all(row["reason"] for row in quarantined), "I1: quarantined without a reason"
    known = {wamid for _, wamid in stored}
    lost = [wamid for wamid in acknowledged if wamid not in known and wamid not in aside]
    assert not lost, f"I1: acknowledged and lost: {len(lost)}, {lost[:5]}"


def one_reply_a_turn(outbound: Sequence[Row], turns: Iterable[Row], calls: Iterable[Call]) -> None:
    """I2"""
    accepted = Counter(call.opaque for call in calls if call.wamid)
    asked_again = {str(row["id"]) for row in outbound if row["origin"] == "operator"}
    doubles = {key: count for key, count in accepted.items() if count > 1 and key not in asked_again}
    assert not doubles, f"I2: accepted by Graph more than once: {doubles}"
    replies = [turn for turn in turns if turn["first_reply_id"]]
    for row in outbound:
        if row["origin"] != "assistant":
            continue
        mine = [turn for turn in replies if turn["conversation_id"] == row["conversation_id"]]
        owners = [turn["id"] for turn in mine if turn["first_reply_id"] <= row["id"] <= turn["last_reply_id"]]
        assert len(owners) == 1, f"I2: reply {row['id']} is the reply of the turns {owners}"


def every_message_has_its_turn(
    messages: Iterable[Row], outbound: Sequence[Row], turns: Iterable[Row], unfinished: bool, excused: Collection[str]
) -> None:
    """I3"""
    ranges = defaultdict(list)
    for turn in turns:
        if unfinished or turn["state"] in FINISHED:
            ranges[turn["conversation_id"]].append((turn["first_message_id"], turn["last_message_id"], turn))
    for message in messages:
        if message["role"] != "user" or message["kind"] != "text":
            continue
        covering = [t for first, last, t in ranges[message["conversation_id"]] if first <= message["id"] <= last]
        ids = [turn["id"] for turn in covering]
        twice = any(got_through(turn, outbound) for turn in covering[:-1])
        assert not twice, f"I3: message {message['id']} is covered by the turns {ids}, though an earlier one replied"
        had_by_a_person = message["handled_by"] == "operator" or message["external_id"] in excused
        silent = had_by_a_person or not message["is_active"] or message["revoked_at"]
        assert covering or silent, f"I3: message {message['id']} was neither answered nor refused"
        for turn in covering:
            assert turn["outcome"] or turn["state"] not in FINISHED, f"I3: turn {turn['id']} ended without a reason"
            if turn["outcome"] == "replied" and turn["last_message_id"] == message["id"]:
                assert message["id"] in turn["seen_messages"], f"I3: {message['id']} was not shown to the model"


def got_through(turn: Row, outbound: Iterable[Row]) -> bool:
    """Whether this turn is open, or has a reply that never failed. If not, handing back may open another turn for its
    messages."""
    replies = [
        row
        for row in outbound
        if turn["first_reply_id"]
        and turn["first_reply_id"] <= row["id"] <= turn["last_reply_id"]
        and row["conversation_id"] == turn["conversation_id"]
    ]
    never_failed = [row for row in replies if row["origin"] == "assistant" and not row["failed_at"]]
    return bool(never_failed) or turn["state"] not in FINISHED


def states_agree(outbound: Iterable[Row], calls: Iterable[Call], statuses: bool) -> None:
    """I4"""
    taken = {call.opaque: call for call in calls if call.wamid}
    ours = {str(row["id"]): row for row in outbound}
    strangers = [key for key in taken if key not in ours]
    assert not strangers, f"I4: Graph took what we have no row of: {strangers}"
    for key, row in ours.items():
        call, status = taken.get(key), row["status"]
        if row["origin"] == "operator":
            continue  # a person may have sent it again
        where = f"message {key} is {status}, {row['error_detail']!r}"
        if status in ARRIVED:
            assert call, f"I4: {where}, but Graph took nothing"
            assert call.wamid == row["external_id"], f"I4: {where} with another wamid"
        elif status == "queued" or (status == "failed" and not row["external_id"]):
            assert not call, f"I4: {where}, but Graph took it"
        elif status == "uncertain" and statuses:
            assert not call, f"I4: {where}, but its status came"


def in_order(outbound: Iterable[Row], calls: Iterable[Call]) -> None:
    """I4: each customer got the assistant's messages in the order in which they were queued."""
    asked_again = {str(row["id"]) for row in outbound if row["origin"] == "operator"}
    last: dict[tuple[str, str], int] = {}
    for call in calls:
        if call.wamid and call.opaque not in asked_again:
            before = last.get((call.place, call.to), 0)
            assert int(call.opaque) > before, f"I4: {call.to} got message {call.opaque} after {before}"
            last[call.place, call.to] = int(call.opaque)


def nothing_mixed(messages: Iterable[Row], calls: Iterable[Call]) -> None:
    """I5: texts carry their number and customer."""
    for row in messages:
        for number, customer in TAG.findall(row["text"]):
            assert (number, customer) == (row["phone_number_id"], row["customer"]), f"I5: {row['text'][:80]!r} strayed"
    for call in calls:
        tags = set(TAG.findall(json.dumps(call.body)))
        assert len(tags) < 2, f"I5: one request speaks of {tags}"
        if call.kind == "send":
            assert call.token in (f"token-{call.place}", f"new-token-{call.place}"), f"I5: {call.place}: {call.token}"
            assert not tags or tags == {(call.place, call.to)}, f"I5: sent to {call.place}/{call.to}: {tags}"
        if call.kind == "model":
            numbers = {number for number, _ in tags}
            known = {call.token.removeprefix("key-")} if call.token != "key-default" else numbers
            assert numbers <= known, f"I5: the model of {call.token} saw {tags}"


def nothing_open(outbound: Iterable[Row], turns: Iterable[Row]) -> None:
    """I6"""
    waiting = [row["id"] for row in outbound if row["status"] in ("queued", "sending")]
    assert not waiting, f"I6: not sent: {waiting}"
    going = [turn["id"] for turn in turns if turn["state"] not in FINISHED]
    assert not going, f"I6: turns open: {going}"
