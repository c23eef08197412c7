from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("annotate", "0018_version_calibrated"),
    ]

    operations = [
        migrations.AddField(
            model_name="import",
            name="lanes",
            field=models.JSONField(default=dict),
        ),
    ]
