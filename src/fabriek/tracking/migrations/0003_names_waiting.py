from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tracking", "0002_names_leave_the_journal"),
    ]

    operations = [
        migrations.AddField(
            model_name="tally",
            name="names_waiting",
            field=models.IntegerField(default=0),
        ),
    ]
