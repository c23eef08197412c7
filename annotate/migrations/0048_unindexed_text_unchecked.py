import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0047_import_removal'),
    ]

    operations = [
        migrations.AlterField(
            model_name='unindexedtext',
            name='document',
            field=models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='unindexed', serialize=False, to='annotate.document'),
        ),
        migrations.AlterField(
            model_name='unindexedtext',
            name='project',
            field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='unindexed_texts', to='annotate.project'),
        ),
    ]
