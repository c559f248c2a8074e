from django.db import migrations

# VOLATILE on purpose: it sees what was committed while the statement that calls it waited for the conversation's lock.
CREATE = """
CREATE FUNCTION message_was_corrected(conversation bigint, wamid text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM conversation_messages
        WHERE conversation_id = conversation AND reply_to = wamid AND kind IN ('edit', 'revoke'));
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("conversations", "0005_conversation_by_change")]
    operations = [
        migrations.RunSQL(CREATE, "DROP FUNCTION message_was_corrected(bigint, text)"),
    ]
