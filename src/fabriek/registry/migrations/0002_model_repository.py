import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0001_initial'),
        ('store', '0005_listed_for'),
    ]

    operations = [
        migrations.AddField(
            model_name='model',
            name='repository',
            field=models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='model', to='store.repository'),
        ),
        migrations.AlterField(
            model_name='model',
            name='revision',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='store.revision'),
        ),
    ]
