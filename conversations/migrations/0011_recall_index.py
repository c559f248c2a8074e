from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations

import conversations.search_functions


class Migration(migrations.Migration):
    """Messages can be written meanwhile. Building the index waits for older transactions, however long they take."""

    atomic = False
    dependencies = [("conversations", "0010_recall")]
    operations = [
        migrations.RunSQL("SET lock_timeout = 0", "SET lock_timeout = 0"),
        # Left behind, and of no use, if this was interrupted.
        migrations.RunSQL("DROP INDEX CONCURRENTLY IF EXISTS message_recall", migrations.RunSQL.noop),
        AddIndexConcurrently(
            model_name="conversationmessage",
            index=GinIndex(conversations.search_functions.RecallWords(), name="message_recall"),
        ),
        migrations.RunSQL("RESET lock_timeout", "RESET lock_timeout"),
    ]
