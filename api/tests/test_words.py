"""The API's documentation has examples, and its errors are in our words."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import validators
from django.db.models import Field as ModelField
from django.test import Client
from rest_framework import exceptions, fields, relations, serializers
from rest_framework import validators as unique

from api.openapi import EXAMPLES
from api.serializers.contents import NewMessageSerializer
from api.serializers.wording import WORDING, in_our_words
from api.tests.clients import Clients
from conversations.tests.rows import conversation
from leads.models import Lead

pytestmark = pytest.mark.django_db
PLACEHOLDER = re.compile(r"\{\w+(?::X)?\}|%\(\w+\)\w|U\+\{code_point:X\}")


@pytest.fixture(scope="module")
def schema() -> Any:
    return Client().get("/api/schema", headers={"Accept": "application/json"}).json()


def operations(schema: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_operation_has_a_summary_and_examples(schema: Any) -> None:
    missing = []
    for method, path, operation in operations(schema):
        bodies = operation.get("requestBody", {}).get("content", {}).values()
        answers = [
            response["content"]["application/json"]
            for status, response in operation["responses"].items()
            if status.startswith("2") and "application/json" in response.get("content", {})
        ]
        if not operation.get("summary"):
            missing.append(f"{method} {path}: summary")
        if not all(body.get("examples") for body in bodies) or not all(answer.get("example") for answer in answers):
            missing.append(f"{method} {path}: example")
    assert not missing


def test_examples_have_the_fields_of_their_schemas(schema: Any) -> None:
    known = schema["components"]["schemas"]
    for name, example in EXAMPLES["schemas"].items():
        assert set(example) <= set(known[name]["properties"]), name
    for example in EXAMPLES["requests"]["messages_send"].values():
        NewMessageSerializer(data=example).is_valid(raise_exception=True)


def test_the_admin_links_to_the_documentation(clients: Clients) -> None:
    assert 'href="/api/docs"' in clients.businesses.browser("owner").get("/admin/").content.decode()


def framework_sentences() -> set[str]:
    """Every error message of DRF, and of Django's validators, with its placeholders as *."""
    found: set[str] = set()
    for module in (fields, serializers, relations):
        for each in vars(module).values():
            if isinstance(each, type) and issubclass(each, fields.Field):
                found |= {str(text) for text in getattr(each, "default_error_messages", {}).values()}
    for each in vars(exceptions).values():
        if isinstance(each, type) and issubclass(each, exceptions.APIException):
            found.add(str(each.default_detail))
    found |= {str(each.message) for each in (unique.UniqueValidator, unique.UniqueTogetherValidator)}
    found |= {str(text) for text in ModelField.default_error_messages.values()}
    found |= {str(validators.URLValidator.message), str(validators.EmailValidator.message)}
    found |= {str(validators.RegexValidator.message), str(validators.ProhibitNullCharactersValidator.message)}
    return {PLACEHOLDER.sub("*", text) for text in found}


# Of kinds of fields that the API doesn't have, and of errors that DRF doesn't send.
UNUSED = re.compile(
    "hyperlink|URL string|image|UUID|IPv4|slug|path choice|Time has|Duration|number of days|selection|"
    r"biginteger|digits|decimal|Object with|Invalid value\.|server error|throttled|Unicode letters|for \*|"
    r"valid choice$|Value \* is not"
)


def test_no_sentence_of_the_framework_is_missing_from_our_wording() -> None:
    ours = {PLACEHOLDER.sub("*", text) for text in WORDING}
    assert {text for text in framework_sentences() - ours if not UNUSED.search(text)} == set()


@pytest.mark.parametrize("theirs", WORDING)
def test_every_sentence_is_replaced(theirs: str) -> None:
    said = PLACEHOLDER.sub("x", theirs)
    assert in_our_words({"a": [said]})["a"][0] == PLACEHOLDER.sub("x", WORDING[theirs])


def test_no_endpoint_answers_in_the_words_of_the_framework(schema: Any, clients: Clients) -> None:
    """Each operation with a missing row, a wrong method, a wrong type, and bodies that are wrong in every way."""
    talk = conversation(clients.businesses.ours)
    lead = Lead.objects.create(tenant=clients.businesses.ours, conversation=talk)
    sentences = [re.compile(re.escape(text).replace(r"\*", ".*")) for text in framework_sentences()]
    sentences += [re.compile(text) for text in (".*matches the given query.*", ".*parse error - .*")]
    said = set()
    for method, path, operation in operations(schema):
        rows = {talk.pk, lead.pk, 999_999} if "{" in path else {0}
        names = schema_of(schema, operation)
        wrong: list[Any] = [None, "", [], {}, "x" * 100_000, -1, 1e300, True]
        bodies: list[Any] = [None, {}, [], "x", *(dict.fromkeys(names, value) for value in wrong)]
        for pk in rows:
            url = re.sub(r"\{\w+\}", str(pk), path)
            for body in bodies if names else [None]:
                said |= ask(clients, method, url, json.dumps(body), "application/json")
            said |= ask(clients, method, url, "{", "application/json")
            said |= ask(clients, method, url, "<a/>", "application/xml")
            said |= ask(clients, "options" if method == "delete" else "delete", url, "", "application/json")
            said |= ask(
                clients, "get", f"{url}?limit=x&cursor=x&since=x&order=x&stage=x&active=x&updated_since=x", "", ""
            )
    assert said
    leaked = {text for text in said if any(sentence.fullmatch(text) for sentence in sentences)}
    assert not leaked


def schema_of(schema: Any, operation: Any) -> list[str]:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        name = content["schema"].get("$ref", "").rpartition("/")[2]
        return list(schema["components"]["schemas"].get(name, {}).get("properties", {}))
    return []


def ask(clients: Clients, method: str, url: str, body: str, content_type: str) -> set[str]:
    """The sentences in the response, if it's an error."""
    headers = {"Authorization": f"Bearer {clients.writer.token}", "Accept": "application/json"}
    response = Client().generic(method.upper(), url, body, content_type=content_type, headers=headers)
    return set(texts(response.json())) if response.status_code >= 400 else set()


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts(each)
