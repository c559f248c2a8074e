import django.contrib.postgres.indexes
from django.db import migrations, models

import conversations.search_functions
import django.db.models.functions


class Migration(migrations.Migration):
    dependencies = [("leads", "0003_one_index"), ("conversations", "0008_search_functions")]
    operations = [
        migrations.AddIndex(
            model_name="lead",
            index=django.contrib.postgres.indexes.GinIndex(
                conversations.search_functions.Words(
                    django.db.models.functions.Concat(
                        "name", models.Value(" "), "notes", models.Value(" "), "first_text", output_field=models.TextField()
                    )
                ),
                name="lead_search",
            ),
        ),
    ]
