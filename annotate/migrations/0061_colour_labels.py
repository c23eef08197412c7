from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("annotate", "0060_user_language"),
    ]

    operations = [
        migrations.AddField(
            model_name="project",
            name="colour_labels",
            field=models.BooleanField(default=False, verbose_name="mark labels by colours"),
        ),
    ]
