import logging

from django.db import DatabaseError, migrations, transaction

from annotate.services.documents.finding import metadata_index

logger = logging.getLogger(__name__)


def make(apps, schema_editor):
    connection = schema_editor.connection
    if connection.vendor != "sqlite":
        return
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute(metadata_index.TABLE)
            cursor.execute(metadata_index.TRIGGER)
            metadata_index.write_all()
    except DatabaseError as error:
        # As with the search index: this SQLite was built without FTS5, and documents are looked through.
        logger.warning("No index of metadata was made, see docs/deployment.md: %s", error)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        with schema_editor.connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER IF EXISTS metadata_entries_deleted")
            cursor.execute("DROP TABLE IF EXISTS metadata_entries")


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0081_shadow_models'),
    ]

    operations = [migrations.RunPython(make, drop)]
