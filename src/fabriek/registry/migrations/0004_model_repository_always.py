import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0003_fill_model_repository'),
    ]

    operations = [
        migrations.AlterField(
            model_name='model',
            name='repository',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='model', to='store.repository'),
        ),
    ]
