import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Subquery


def note_texts(apps: Apps, schema_editor: BaseDatabaseSchemaEditor | None) -> None:
    """Tie answers to the present text; one of an earlier text, whose digest is not known, stays without."""
    document = apps.get_model("annotate", "Document").objects.filter(pk=OuterRef("document"))
    answers = apps.get_model("annotate", "LlmAnswer").objects.exclude(outcome="of an earlier text")
    answers.update(sha256=Subquery(document.values("sha256")[:1]))


class Migration(migrations.Migration):
    dependencies = [
        ("annotate", "0007_variants"),
    ]

    operations = [
        migrations.AlterField(
            model_name="llmanswer",
            name="document",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="llm_answers",
                to="annotate.document",
            ),
        ),
        migrations.AddField(
            model_name="llmanswer",
            name="sha256",
            field=models.CharField(default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="llmanswer",
            name="key",
            field=models.CharField(default="", max_length=64),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="llmanswer",
            name="names",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="llmanswer",
            name="is_reused",
            field=models.BooleanField(default=False),
        ),
        migrations.AddIndex(
            model_name="llmanswer",
            index=models.Index(fields=["key"], name="llm_answer_of_question"),
        ),
        migrations.AddConstraint(
            model_name="llmanswer",
            constraint=models.UniqueConstraint(
                fields=("document", "sha256"), name="llm_answer_once_per_text"
            ),
        ),
        migrations.RunPython(note_texts, migrations.RunPython.noop),
    ]
