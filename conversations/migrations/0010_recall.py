from django.db import migrations, models

# Its words, the longer ones as their first letters, and its conversation. The expression is read once, here: so it
# finds search_words() also where PostgreSQL doesn't look at the search path, such as when it rebuilds an index.
_FUNCTION = """
CREATE FUNCTION recall_words(conversation bigint, content text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_to_tsvector(ARRAY(
    SELECT '#' || conversation::text
    UNION SELECT CASE WHEN length(word) > 5 THEN left(word, 5) || '~' ELSE word END
    FROM unnest(tsvector_to_array(search_words(content))) AS word
))
"""
_SPOKEN = """
UPDATE conversation_messages AS m SET spoken = left(a.transcript, 10000)
FROM attachments a WHERE a.message_id = m.id AND a.kind = 'audio' AND a.transcript <> ''
"""


class Migration(migrations.Migration):
    dependencies = [("conversations", "0009_search_indexes")]
    operations = [
        migrations.AddField(
            model_name="conversationmessage",
            name="spoken",
            field=models.TextField(blank=True, db_default="", default="", help_text="What its voice note says."),
        ),
        migrations.RunSQL(_SPOKEN, migrations.RunSQL.noop),
        migrations.RunSQL(_FUNCTION, "DROP FUNCTION recall_words(bigint, text)"),
    ]
