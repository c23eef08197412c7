import django.db.models.deletion
from django.db import migrations, models


def tell_history(apps, schema_editor):
    """Write down in which order the published versions of each project served, as far as it is known.

    Until now only the last time that a version was published was kept. A version that was published later
    than one with a higher number was gone back to, so the higher one does not stand before it.
    """
    Project = apps.get_model("annotate", "Project")
    ModelVersion = apps.get_model("annotate", "ModelVersion")
    Publication = apps.get_model("annotate", "Publication")
    for project in Project.objects.order_by("pk"):
        history = []
        served = ModelVersion.objects.filter(project=project).exclude(published_at=None)
        for version in served.order_by("published_at", "number").only("number", "published_at"):
            while history and history[-1].number > version.number:
                history.pop()
            history.append(version)
        Publication.objects.bulk_create(
            Publication(project=project, version=version, published_at=version.published_at)
            for version in history
        )


class Migration(migrations.Migration):
    dependencies = [
        ("annotate", "0008_llm_answers_by_question"),
    ]

    operations = [
        migrations.CreateModel(
            name="Publication",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("published_at", models.DateTimeField()),
                ("withdrawn_at", models.DateTimeField(null=True)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="publications",
                        to="annotate.project",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="publications",
                        to="annotate.modelversion",
                    ),
                ),
            ],
            options={
                "ordering": ["-pk"],
                "indexes": [
                    models.Index(
                        condition=models.Q(("withdrawn_at", None)),
                        fields=["project", "-id"],
                        name="publication_history",
                    )
                ],
            },
        ),
        # Going back drops the table with its rows: the versions keep when they were published last.
        migrations.RunPython(tell_history, migrations.RunPython.noop),
    ]
