import django.db.models.deletion
from django.db import migrations, models


def index_the_rest(apps, schema_editor):
    """An earlier version expects every text in the index."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO annotate_foldedtext (document_id, text) SELECT document_id, text FROM annotate_unindexedtext"
        )


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0041_invitation'),
    ]

    operations = [
        migrations.AlterField(
            model_name='job',
            name='kind',
            field=models.CharField(choices=[('vectors', 'Making vectors'), ('rescore', 'Predicting every document'), ('ask_llm', 'Asking the LLM'), ('reportcard', 'Measuring the report card'), ('rechoose', 'Choosing anew what comes next'), ('search', 'Indexing texts for search')], max_length=20),
        ),
        migrations.CreateModel(
            name='UnindexedText',
            fields=[
                ('document', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='unindexed', serialize=False, to='annotate.document')),
                ('text', models.TextField()),
                ('project', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='unindexed_texts', to='annotate.project')),
            ],
            options={
                'indexes': [models.Index(fields=['project', 'document'], name='unindexed_text_of_project')],
            },
        ),
        migrations.RunPython(migrations.RunPython.noop, index_the_rest),
    ]
