from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0010_secure_runs"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="continues_step",
            field=models.PositiveBigIntegerField(editable=False, null=True),
        ),
    ]
