from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

FEWEST = {"single": 50}  # documents that a calibration needs, as the library counts them today
FEWEST_OF_OTHERS = 200


def note_calibrated(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Read off the stored reports which versions were calibrated; where that is not known, none was."""
    versions = apps.get_model("annotate", "ModelVersion").objects.select_related("project")
    calibrated: set[tuple[int, int]] = set()
    for version in versions.order_by("number"):
        details = version.report.get("details", {})
        parts = [details.get("cheap"), details.get("strong")]
        if None in parts:
            fewest = FEWEST.get(version.project.task, FEWEST_OF_OTHERS)
            is_calibrated = (details.get("tuned_documents") or 0) >= fewest
        else:
            is_calibrated = all((version.project_id, part) in calibrated for part in parts)
        if is_calibrated:
            calibrated.add((version.project_id, version.number))
            version.calibrated = True
            version.save(update_fields=["calibrated"])


class Migration(migrations.Migration):

    dependencies = [
        ("annotate", "0017_work_noted"),
    ]

    operations = [
        migrations.AddField(
            model_name="modelversion",
            name="calibrated",
            field=models.BooleanField(default=False),
        ),
        migrations.RunPython(note_calibrated, migrations.RunPython.noop),
    ]
