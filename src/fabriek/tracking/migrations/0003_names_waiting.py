from django.db import migrations, models
from django.db.models import F


def count_what_waits(apps, schema_editor):
    """Take as many names as figures, which is the most: the next settling counts anew."""
    tallies = apps.get_model("tracking", "Tally").objects.using(schema_editor.connection.alias)
    tallies.filter(points_waiting__gt=0).update(names_waiting=F("points_waiting"))


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
        migrations.RunPython(count_what_waits, migrations.RunPython.noop),
    ]
