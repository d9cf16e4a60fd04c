"""Code that people send: from which commit each revision came."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [("store", "0007_code_repositories")]

    operations = [
        migrations.CreateModel(
            name="Sent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "commit",
                    models.CharField(
                        blank=True,
                        max_length=64,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^(?:[0-9a-f]{40}|[0-9a-f]{64})?\\Z",
                                "This is no commit of git.",
                            )
                        ],
                    ),
                ),
                (
                    "has_changes",
                    models.BooleanField(
                        default=False, help_text="With changes that were in no commit."
                    ),
                ),
                (
                    "at",
                    models.DateTimeField(default=django.utils.timezone.now, editable=False),
                ),
                (
                    "revision",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sent",
                        to="store.revision",
                    ),
                ),
            ],
            options={"verbose_name": "code that was sent"},
        ),
    ]
