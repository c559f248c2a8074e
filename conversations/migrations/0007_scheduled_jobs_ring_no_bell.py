from django.db import migrations

# See conversations/bell.py. The second is procrastinate's own.
TRIGGER = """
CREATE OR REPLACE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1
    AFTER INSERT ON procrastinate_jobs FOR EACH ROW WHEN (NEW.status = 'todo'::procrastinate_job_status{more})
    EXECUTE PROCEDURE procrastinate_notify_queue_job_inserted_v1()
"""


class Migration(migrations.Migration):
    dependencies = [
        ("conversations", "0006_message_was_corrected"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]
    operations = [
        migrations.RunSQL(TRIGGER.format(more=" AND NEW.scheduled_at IS NULL"), TRIGGER.format(more="")),
    ]
