from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0004_model_repository_always")]

    operations = [
        migrations.AddField(
            model_name="model",
            name="evaluation",
            field=models.JSONField(default=dict),
        ),
    ]
