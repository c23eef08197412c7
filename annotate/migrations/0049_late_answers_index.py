from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0048_unindexed_text_unchecked'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='annotation',
            index=models.Index(condition=models.Q(('is_late', True)), fields=['project'], name='annotation_late'),
        ),
    ]
