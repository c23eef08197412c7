import hashlib
from pathlib import Path

from django.apps.registry import Apps
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def note_digests(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Keep the digest of what is there now: from this moment on a swapped bundle is noticed."""
    for version in apps.get_model("annotate", "ModelVersion").objects.exclude(bundle="").only("bundle"):
        manifest = Path(settings.BUNDLE_ROOT) / version.bundle / "manifest.json"
        if manifest.is_file():
            version.bundle_digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
            version.save(update_fields=["bundle_digest"])


class Migration(migrations.Migration):

    dependencies = [
        ("annotate", "0013_account_names"),
    ]

    operations = [
        migrations.AddField(
            model_name="modelversion",
            name="bundle_digest",
            field=models.CharField(blank=True, default="", max_length=64),
            preserve_default=False,
        ),
        migrations.RunPython(note_digests, migrations.RunPython.noop),
    ]
