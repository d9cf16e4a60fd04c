from django.db import migrations, models
import django.db.models.functions.text


class Migration(migrations.Migration):

    dependencies = [
        ('store', '0003_name_what_is_there'),
    ]

    operations = [
        migrations.AddConstraint(
            model_name='repository',
            constraint=models.UniqueConstraint(models.F('kind'), django.db.models.functions.text.Lower('namespace'), django.db.models.functions.text.Lower('name'), condition=models.Q(('name', ''), _negated=True), name='repository_name_once'),
        ),
        migrations.AddConstraint(
            model_name='revision',
            constraint=models.UniqueConstraint(fields=('repository', 'commit_id'), name='commit_once'),
        ),
    ]
