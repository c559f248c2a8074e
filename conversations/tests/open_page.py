"""An open page of the inbox, as its script keeps it up to date."""

import html
import json
import re
from typing import Any

from django.test import Client
from django.urls import reverse

from conversations.models import Conversation

LIST = "/admin/conversations/conversation/"


class OpenPage:
    def __init__(self, client: Client, conversation: Conversation | None = None, query: str = "") -> None:
        self.client, self.query = client, query
        self.live = f"{LIST}{conversation.pk}/live/" if conversation else f"{LIST}live/"
        address = reverse("admin:conversations_conversation_change", args=[conversation.pk]) if conversation else LIST
        page = client.get(address + query).content.decode()
        found = re.search('data-version="([^"]+)"', page)
        assert found
        self.version = html.unescape(found[1])
        told = re.search('data-told="([^"]+)"', page)
        assert told
        self.told: dict[str, Any] = json.loads(html.unescape(told[1]))
        if conversation:
            self.poll()  # a page that was just opened asks once more, for what came while it was made

    def poll(self) -> dict[str, str]:
        """The parts that have changed."""
        response = self.client.get(self.live + self.query, headers={"If-None-Match": self.version})
        if response.status_code == 304:
            assert not response.content
            return {}
        assert response.status_code == 200, response.status_code
        answer = response.json()
        self.version = answer["version"]
        self.told = answer.get("told", self.told)
        parts: dict[str, str] = answer["parts"]
        return parts
