from django.db import migrations, models

import annotate.task_types


class Migration(migrations.Migration):
    """Let the registry of tasks say which there are, so that another one needs no migration."""

    dependencies = [
        ("annotate", "0010_work"),
    ]

    operations = [
        migrations.AlterField(
            model_name="project",
            name="task",
            field=models.CharField(
                choices=annotate.task_types.choices,
                default=annotate.task_types.first,
                max_length=10,
                verbose_name="task",
            ),
        ),
    ]
