from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalogue', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='record',
            name='readme_licence',
            field=models.CharField(blank=True, editable=False, max_length=20),
        ),
    ]
