"""The state machine's rules: everything that can happen to a conversation, in any order, in one process.

It runs the engine's steps on due rows. A crash is an uncaught exception at a crash point. Time passes by editing rows.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import httpx2
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from assistant.models import Assistant, Turn
from assistant.turns import claiming, policy
from assistant.turns.answering import Answering
from assistant.turns.closing import FinishedTurn, complete_turns
from assistant.turns.loading import ClaimedTurn
from conversations import handover
from conversations.models import Conversation, ConversationMessage, Pause
from conversations.outbox.sending import Sending
from runtime.clock import ago
from runtime.dispatching import Shares
from tenants.models import Tenant
from tests.stage import Stage
from whatsapp.models import WhatsAppAccount

from . import behaviour, invariants
from .machine_parts import CUSTOMERS, GRAPH, MODEL, TABLES, Crash, Tables, outcome_of, run, token
from .meta import NUMBER, inbound, said, status
from .wire import Call, Json


class Conversing(RuleBasedStateMachine):
    stage: ClassVar[Stage]
    current: ClassVar["Conversing"]

    @initialize()
    def begin(self) -> None:
        Conversing.current = self
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {TABLES} CASCADE")
        tenant = Tenant.objects.create(name="Bakery", slug="bakery")
        WhatsAppAccount.objects.create(tenant=tenant, phone_number_id=NUMBER, access_token=f"token-{NUMBER}")
        Assistant.objects.create(tenant=tenant, api_key=f"key-{NUMBER}")
        self.person = User.objects.create(username="bo")
        self.calls: list[Call] = []
        self.posted: list[Json] = []
        self.held_back: list[Json] = []
        self.acknowledged: set[str] = set()
        self.excused: set[str] = set()
        self.frozen: list[ClaimedTurn] = []
        self.model, self.graph, self.interruption = "answers", "accepts", ""
        self.armed = ""

    # --- the wire ---

    async def to_model(self, request: httpx2.Request) -> httpx2.Response:
        call = Call("model", "default", token(request), json.loads(request.content))
        self.calls.append(call)
        if self.interruption:
            words, self.interruption = self.interruption, ""
            await sync_to_async(self.write)("1001", words)
        reply = MODEL[self.model] or behaviour.completion(f"Answer to {call.text}")
        return httpx2.Response(reply.status, json=reply.body)

    async def to_graph(self, request: httpx2.Request) -> httpx2.Response:
        body = json.loads(request.content)
        if body.get("status") == "read":
            return httpx2.Response(200, json={"success": True})
        found = re.search(r"/(\w+)/messages", str(request.url))
        call = Call("send", found[1] if found else "", token(request), body)
        self.calls.append(call)
        reply = GRAPH[self.graph]
        if reply.accept:
            call.wamid = f"wamid.out{len(self.calls):05}"
        if reply.cut:
            raise httpx2.ReadError("cut")
        return httpx2.Response(reply.status, json=reply.body or {"messages": [{"id": call.wamid}]})

    def reach(self, name: str) -> None:
        if name == self.armed:
            self.armed = ""
            raise Crash(name)

    @contextmanager
    def dying(self, point: str) -> Iterator[None]:
        """Die at this point if it's reached; then a new process continues."""
        self.armed = point
        try:
            yield
        except Crash:
            connection.close()
        finally:
            self.armed = ""

    # --- the webhook ---

    def post(self, body: Json) -> None:
        assert self.stage.post(body).status_code == 200
        pieces = [change["value"] for entry in body["entry"] for change in entry["changes"]]
        new = {message["id"] for piece in pieces for message in piece.get("messages", [])} - self.acknowledged
        self.acknowledged |= new
        theirs = Conversation.objects.filter(handled_by="operator").values_list("messages__external_id", flat=True)
        self.excused |= new & set(theirs)

    def write(self, customer: str, words: str) -> None:
        self.posted.append(inbound(said(words, customer=customer)))
        self.post(self.posted[-1])

    @rule(customer=st.sampled_from(CUSTOMERS), words=st.sampled_from(["Hello", "Cake?", "Today"]))
    def a_customer_writes(self, customer: str, words: str) -> None:
        self.write(customer, words)

    @rule(
        customer=st.sampled_from(CUSTOMERS), model=st.sampled_from(sorted(MODEL)), graph=st.sampled_from(sorted(GRAPH))
    )
    def a_customer_writes_and_all_goes_its_way(self, customer: str, model: str, graph: str) -> None:
        self.model, self.graph = model, graph
        self.write(customer, "Hello again")
        self.answer()
        self.deliver()

    @rule(customer=st.sampled_from(CUSTOMERS))
    def a_delivery_is_late(self, customer: str) -> None:
        self.held_back.append(inbound(said("late", customer=customer)))

    @precondition(lambda self: self.held_back)
    @rule()
    def the_late_delivery_comes(self) -> None:
        self.posted.append(self.held_back.pop(0))
        self.post(self.posted[-1])

    @precondition(lambda self: self.posted)
    @rule(data=st.data())
    def a_delivery_is_repeated(self, data: st.DataObject) -> None:
        self.post(data.draw(st.sampled_from(self.posted)))

    @rule(customer=st.sampled_from(CUSTOMERS), point=st.sampled_from(["C1", "C2", "C4"]))
    def web_dies(self, customer: str, point: str) -> None:
        body = inbound(said("crash", customer=customer))
        with self.dying(point):
            self.stage.post(body)
        self.posted.append(body)
        self.post(body)  # Meta keeps retrying

    @precondition(lambda self: any(call.wamid for call in self.calls))
    @rule(data=st.data(), word=st.sampled_from(["sent", "delivered", "read", "failed"]))
    def a_status_comes(self, data: st.DataObject, word: str) -> None:
        self.post(status(word, data.draw(st.sampled_from([call for call in self.calls if call.wamid]))))

    # --- the worker ---

    @rule(model=st.sampled_from(sorted(MODEL)), interruption=st.sampled_from(["", "", "Wait"]))
    def turns_are_answered(self, model: str, interruption: str) -> None:
        self.model, self.interruption = model, interruption
        self.answer()

    @rule(graph=st.sampled_from(sorted(GRAPH)))
    def messages_are_delivered(self, graph: str) -> None:
        self.graph = graph
        self.deliver()

    @rule(point=st.sampled_from(["C6", "C7", "C8", "C23"]))
    def a_worker_dies_answering(self, point: str) -> None:
        self.model = "answers"
        with self.dying(point):
            self.answer()

    @rule(point=st.sampled_from(["C9", "C11", "C24"]))
    def a_worker_dies_sending(self, point: str) -> None:
        self.graph = "accepts"
        with self.dying(point):
            self.deliver()

    @rule()
    def a_worker_freezes(self) -> None:
        self.frozen += claiming.claim(Shares(limit=10, by_tenant={}, anyone_else=10)).rows

    @precondition(lambda self: self.frozen)
    @rule()
    def a_frozen_worker_wakes(self) -> None:
        claim = self.frozen.pop(0)
        text = f"Frozen answer to {claim.messages[-1]['content']}" if claim.messages else "Frozen answer"
        complete_turns([FinishedTurn(claim, outcome_of(text))])

    def answer(self) -> None:
        run(Answering(on_reply=lambda: None).dispatcher.run_once)

    def deliver(self) -> None:
        run(Sending().dispatcher.run_once)

    # --- time and people ---

    @rule()
    def time_passes(self) -> None:
        """Leases, pauses and waits end; the window stays open."""
        Turn.objects.filter(state="generating").update(lease_until=ago(1))
        Turn.objects.filter(state="collecting").update(due_at=ago(1))
        ConversationMessage.objects.filter(status="sending").update(sending_at=ago(3600))
        ConversationMessage.objects.filter(status="queued").update(next_attempt_at=ago(1))
        Pause.objects.exclude(until=None).update(until=ago(1))

    @rule(customer=st.sampled_from(CUSTOMERS))
    def the_window_closes(self, customer: str) -> None:
        theirs = Conversation.objects.filter(external_id=customer)
        theirs.update(last_inbound_at=F("last_inbound_at") - policy.MARGIN * 720)

    @rule(customer=st.sampled_from(CUSTOMERS))
    def a_person_takes_over(self, customer: str) -> None:
        for pk in Conversation.objects.filter(external_id=customer).values_list("id", flat=True):
            handover.take_over(pk, self.person)

    @rule(customer=st.sampled_from(CUSTOMERS))
    def a_person_hands_back(self, customer: str) -> None:
        for pk in Conversation.objects.filter(external_id=customer).values_list("id", flat=True):
            mine = ConversationMessage.objects.filter(conversation=pk, role="user", conversation__handled_by="operator")
            covered = Turn.objects.filter(conversation=pk).values_list("first_message_id", "last_message_id")
            for message in mine:
                if not any(first <= message.pk <= last for first, last in covered):
                    self.excused.add(str(message.external_id))
            handover.hand_back(pk)

    @rule()
    def a_person_sends_again(self) -> None:
        for message in ConversationMessage.objects.filter(status__in=["failed", "uncertain"]):
            handover.send_again(message.pk, self.person)

    # --- invariants ---

    @invariant()
    def promises_are_kept(self) -> None:
        invariants.check(Tables(), self.calls, self.acknowledged, unfinished=True, statuses=False, excused=self.excused)

    def teardown(self) -> None:
        """Stop the load: all open work must finish."""
        if not hasattr(self, "calls"):
            return
        self.model, self.graph, self.interruption = "answers", "accepts", ""
        self.frozen.clear()
        for _ in range(10):
            Pause.objects.all().delete()
            self.time_passes()
            self.answer()
            self.deliver()
        for call in [call for call in self.calls if call.wamid]:
            self.post(status("delivered", call))
        invariants.check(Tables(), self.calls, self.acknowledged, excused=self.excused)
