import logging

import django.db.models.deletion
from django.db import DatabaseError, migrations, models, transaction

from annotate.models.documents import fold

CHUNK = 2000
logger = logging.getLogger(__name__)

# NB: the triggers stand on the folded texts' own table, which holds nothing else. A later migration that alters
# that table on SQLite rebuilds it without them and has to make them again.
SQLITE = [
    """CREATE VIRTUAL TABLE search_text USING fts5(
        text, content='annotate_foldedtext', content_rowid='document_id', tokenize='trigram case_sensitive 1'
    )""",
    # 16: parts of the index are merged less often, which took a quarter of the time of writing it.
    "INSERT INTO search_text(search_text, rank) VALUES ('automerge', 16)",
    "INSERT INTO search_text(search_text) VALUES ('rebuild')",
    """CREATE TRIGGER search_text_inserted AFTER INSERT ON annotate_foldedtext BEGIN
        INSERT INTO search_text(rowid, text) VALUES (new.document_id, new.text);
    END""",
    """CREATE TRIGGER search_text_deleted AFTER DELETE ON annotate_foldedtext BEGIN
        INSERT INTO search_text(search_text, rowid, text) VALUES ('delete', old.document_id, old.text);
    END""",
    """CREATE TRIGGER search_text_updated AFTER UPDATE ON annotate_foldedtext BEGIN
        INSERT INTO search_text(search_text, rowid, text) VALUES ('delete', old.document_id, old.text);
        INSERT INTO search_text(rowid, text) VALUES (new.document_id, new.text);
    END""",
]
SQLITE_BACK = [
    "DROP TRIGGER IF EXISTS search_text_inserted",
    "DROP TRIGGER IF EXISTS search_text_deleted",
    "DROP TRIGGER IF EXISTS search_text_updated",
    "DROP TABLE IF EXISTS search_text",
]
POSTGRESQL = [
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    "CREATE INDEX search_text_trigrams ON annotate_foldedtext USING gin (text gin_trgm_ops)",
]
POSTGRESQL_BACK = ["DROP INDEX IF EXISTS search_text_trigrams"]


def fold_all(apps, schema_editor):
    Document = apps.get_model("annotate", "Document")
    FoldedText = apps.get_model("annotate", "FoldedText")
    last = 0
    while rows := list(Document.objects.filter(pk__gt=last).order_by("pk").values_list("pk", "text")[:CHUNK]):
        FoldedText.objects.bulk_create(FoldedText(document_id=pk, text=fold(text)) for pk, text in rows)
        last = rows[-1][0]


def make_index(apps, schema_editor):
    connection = schema_editor.connection
    statements = SQLITE if connection.vendor == "sqlite" else POSTGRESQL
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except DatabaseError as error:
        # The extension is not installed or may not be made by this user: search goes on without an index.
        logger.warning("No search index was made, see docs/deployment.md: %s", error)


def drop_index(apps, schema_editor):
    statements = SQLITE_BACK if schema_editor.connection.vendor == "sqlite" else POSTGRESQL_BACK
    with schema_editor.connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0036_group_labels'),
    ]

    operations = [
        migrations.CreateModel(
            name='FoldedText',
            fields=[
                ('document', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='folded', serialize=False, to='annotate.document')),
                ('text', models.TextField()),
            ],
        ),
        migrations.RunPython(fold_all, migrations.RunPython.noop),
        migrations.RunPython(make_index, drop_index),
    ]
