import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import F, FloatField, OuterRef, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Length


def fill(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give predictions their project, and those of one label a document what their stored scores say.

    Of several labels a document only the best scores are stored: theirs come with the next published version.
    """
    Document = apps.get_model("annotate", "Document")
    Prediction = apps.get_model("annotate", "Prediction")
    project = Document.objects.filter(pk=OuterRef("document_id")).values("project_id")[:1]
    Prediction.objects.update(project_id=Subquery(project))
    scored = Prediction.objects.filter(document__project__task="single", version__calibrated=True)
    best, second = (Cast(KT(f"answer__scores__{place}__1"), FloatField()) for place in (0, 1))
    scored.update(confidence=best, margin=best - second)


class Migration(migrations.Migration):

    dependencies = [
        ("annotate", "0051_mentions"),
    ]

    operations = [
        migrations.AddField("prediction", "confidence", models.FloatField(null=True)),
        migrations.AddField("prediction", "margin", models.FloatField(null=True)),
        migrations.AddField(
            "prediction",
            "project",
            models.ForeignKey(
                "annotate.project",
                django.db.models.deletion.CASCADE,
                db_index=False,
                null=True,
                related_name="predictions",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            "prediction",
            "project",
            models.ForeignKey(
                "annotate.project",
                django.db.models.deletion.CASCADE,
                db_index=False,
                related_name="predictions",
            ),
        ),
        migrations.AddIndex(
            "prediction",
            models.Index(fields=["project", "confidence", "document"], name="prediction_confidence"),
        ),
        migrations.AddIndex(
            "prediction",
            models.Index(fields=["project", "margin", "document"], name="prediction_margin"),
        ),
        migrations.AddIndex(
            "annotation",
            models.Index(fields=["project", "updated_at", "document"], name="annotation_last_decision"),
        ),
        migrations.AddIndex(
            "document", models.Index(F("project"), Length("text"), F("id"), name="document_length")
        ),
    ]
