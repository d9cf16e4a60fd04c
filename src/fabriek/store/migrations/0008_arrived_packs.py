"""A whole pack may have arrived: one row then says it for all that lies in it."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("store", "0007_code_repositories")]

    operations = [
        migrations.AlterField(
            model_name="arrival",
            name="blob",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="arrivals",
                to="store.blob",
            ),
        ),
        migrations.AddField(
            model_name="arrival",
            name="pack",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="arrivals",
                to="store.pack",
            ),
        ),
        migrations.AddConstraint(
            model_name="arrival",
            constraint=models.UniqueConstraint(
                fields=("repository", "pack"), name="pack_arrival_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="arrival",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("blob", None), ("pack__isnull", False)),
                    models.Q(("blob__isnull", False), ("pack", None)),
                    _connector="OR",
                ),
                name="arrival_of_one",
            ),
        ),
    ]
