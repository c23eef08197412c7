from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

FEWEST = 10  # holdout documents that make a figure, as the library counts them today
FIGURES = ["macro_f1", "macro_f1_low", "macro_f1_high", "micro_f1"]
OF_A_LABEL = ["precision", "recall", "f1", "f1_low", "f1_high"]


def withhold(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Take back what was measured on too few documents and was never a figure; the report keeps it aside."""
    for version in apps.get_model("annotate", "ModelVersion").objects.filter(holdout_documents__lt=FEWEST):
        metrics = version.class_metrics.all()
        version.report["withheld"] = {
            "version": {name: getattr(version, name) for name in FIGURES},
            "labels": {str(row["pk"]): row for row in metrics.values("pk", *OF_A_LABEL)},
        }
        for name in FIGURES:
            setattr(version, name, None)
        version.save(update_fields=["report", *FIGURES])
        metrics.update(**dict.fromkeys(OF_A_LABEL))


def give_back(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Show again what an earlier site showed."""
    for version in apps.get_model("annotate", "ModelVersion").objects.filter(holdout_documents__lt=FEWEST):
        kept = version.report.pop("withheld", {"version": {}, "labels": {}})
        for name, value in kept["version"].items():
            setattr(version, name, value)
        version.save(update_fields=["report", *kept["version"]])
        for row in kept["labels"].values():
            values = {name: row[name] for name in OF_A_LABEL}
            version.class_metrics.filter(pk=row["pk"]).update(**values)


class Migration(migrations.Migration):

    dependencies = [
        ("annotate", "0023_handed_on"),
    ]

    operations = [
        migrations.RunPython(withhold, give_back),
        migrations.AddField(
            model_name="classmetric",
            name="decided",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="classmetric",
            name="hits",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddConstraint(
            model_name="modelversion",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("holdout_documents__gte", 10),
                    models.Q(
                        ("macro_f1", None),
                        ("macro_f1_high", None),
                        ("macro_f1_low", None),
                        ("micro_f1", None),
                    ),
                    _connector="OR",
                ),
                name="version_figures_have_evidence",
            ),
        ),
    ]
