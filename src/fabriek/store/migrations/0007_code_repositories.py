"""A repository may hold code: that people run themselves."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0006_packs_damage_dropped")]

    operations = [
        migrations.AlterField(
            model_name="repository",
            name="kind",
            field=models.CharField(
                choices=[("dataset", "dataset"), ("model", "model"), ("code", "code")],
                max_length=8,
            ),
        ),
    ]
