from django.db import migrations, models


class Migration(migrations.Migration):
    """An owner may leave out the organisation that leads the case; until now it was always in."""

    dependencies = [("agreements", "0005_both_languages")]

    operations = [
        migrations.AddField(
            model_name="agreement",
            name="with_leader",
            field=models.BooleanField(default=True, editable=False),
        ),
    ]
