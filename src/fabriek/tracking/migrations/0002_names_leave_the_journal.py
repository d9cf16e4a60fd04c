from django.db import migrations

VERBS = ["tracking.make_experiment", "tracking.delete", "tracking.restore"]


def forget_names(apps, _schema):
    """The factory's staff read the journal; what people call their runs is not for them."""
    entries = apps.get_model("kernel", "Entry").objects
    for entry in entries.filter(verb__in=VERBS).iterator():
        if entry.details.pop("note", None) is not None:
            entry.save(update_fields=["details"])


class Migration(migrations.Migration):
    dependencies = [("kernel", "0001_initial"), ("tracking", "0001_initial")]

    operations = [migrations.RunPython(forget_names, migrations.RunPython.noop)]
