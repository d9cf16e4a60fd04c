from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """An organisation has a KvK number, or a number of another country's register."""

    dependencies = [("people", "0002_person_unix_name")]

    operations = [
        migrations.RemoveConstraint(
            model_name="organisation", name="organisation_kvk_has_8_digits"
        ),
        migrations.AlterField(
            model_name="organisation",
            name="kvk_number",
            field=models.CharField(blank=True, max_length=8, verbose_name="KvK number"),
        ),
        migrations.AddField(
            model_name="organisation",
            name="foreign_number",
            field=models.CharField(
                blank=True, default="", max_length=40, verbose_name="number abroad"
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="organisation",
            constraint=models.CheckConstraint(
                name="organisation_has_one_number",
                condition=Q(kvk_number__regex=r"^[0-9]{8}$", foreign_number="")
                | Q(kvk_number="", foreign_number__regex=r"^[A-Z]{2}[A-Z0-9.+*_]+$"),
            ),
        ),
        migrations.AddConstraint(
            model_name="organisation",
            constraint=models.UniqueConstraint(
                name="organisation_kvk_once",
                fields=["kvk_number"],
                condition=~Q(kvk_number=""),
            ),
        ),
        migrations.AddConstraint(
            model_name="organisation",
            constraint=models.UniqueConstraint(
                name="organisation_foreign_number_once",
                fields=["foreign_number"],
                condition=~Q(foreign_number=""),
            ),
        ),
    ]
