"""New projects give a tenth of each batch to what is unlike anything labelled; others keep what they have."""

import django.core.validators
from django.db import migrations, models

SHARE = [django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(0.9)]
NAME = "novel share of a batch"


class Migration(migrations.Migration):
    dependencies = [("annotate", "0082_metadata_index")]

    operations = [
        migrations.AddField(
            model_name="assignment",
            name="is_novel",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="project",
            name="novel_share",
            field=models.FloatField(default=0.0, validators=SHARE, verbose_name=NAME),
        ),
        migrations.AlterField(
            model_name="project",
            name="novel_share",
            field=models.FloatField(default=0.1, validators=SHARE, verbose_name=NAME),
        ),
        migrations.AlterField(
            model_name="project",
            name="random_share",
            field=models.FloatField(
                default=0.02, validators=SHARE, verbose_name="random share of a batch"
            ),
        ),
    ]
