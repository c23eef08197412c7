from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def make_index(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Make an index of keys and values, which only PostgreSQL has for JSON."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("CREATE INDEX document_metadata ON annotate_document USING gin (meta)")


def drop_index(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS document_metadata")


class Migration(migrations.Migration):
    dependencies = [
        ("annotate", "0061_colour_labels"),
    ]

    operations = [
        migrations.RunPython(make_index, drop_index),
    ]
