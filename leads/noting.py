"""Stores what the assistant notes about customers, with the message that each value came from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from django.db import connection

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Note:
    """values: by the name of a `LeadField`. message_id: the customer's message that they come from."""

    conversation_id: int
    message_id: int
    values: Mapping[str, Value]


_NOTE = """
WITH new AS (
    SELECT old.id, jsonb_object_agg(each.key, each.value) AS fields, jsonb_object_agg(each.key, n.message_id) AS sources
    FROM jsonb_to_recordset(%s) AS n(conversation_id bigint, message_id bigint, "values" jsonb)
    JOIN leads old ON old.conversation_id = n.conversation_id
    CROSS JOIN LATERAL jsonb_each(n."values") AS each
    WHERE NOT (old.fields ? each.key AND old.field_sources -> each.key = 'null')  -- what a person entered stays
    GROUP BY old.id
)
UPDATE leads AS l SET fields = l.fields || new.fields, field_sources = l.field_sources || new.sources
FROM new WHERE l.id = new.id
"""


def note(notes: Sequence[Note]) -> None:
    """Store these values, but never replace one that a person entered. Call it with the conversations locked."""
    if notes:
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, [json.dumps([asdict(each) for each in notes])])
