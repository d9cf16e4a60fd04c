from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("runs", "0004_nodes_and_expected_start")]

    operations = [
        migrations.AddField("run", "starts", models.PositiveIntegerField(default=0, editable=False)),
    ]
