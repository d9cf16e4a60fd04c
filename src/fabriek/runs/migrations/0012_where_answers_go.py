import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("datasets", "0003_plain_words"),
        ("runs", "0011_continued_from_a_step"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Destination",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("title", models.CharField(blank=True, help_text="Of a new dataset.", max_length=200)),
                ("revision", models.PositiveIntegerField(null=True)),
                ("settled_at", models.DateTimeField(editable=False, null=True)),
                ("code", models.CharField(blank=True, max_length=40)),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("asked_by", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("dataset", models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="made_by", to="datasets.dataset")),
                ("run", models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name="destination", to="runs.run")),
            ],
            options={
                "indexes": [models.Index(condition=models.Q(("settled_at", None)), fields=["run"], name="answers_to_save")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("revision", None),
                            models.Q(("code", ""), ("dataset__isnull", False), ("settled_at__isnull", False)),
                            _connector="OR",
                        ),
                        name="answers_saved_in_a_dataset",
                    )
                ],
            },
        ),
    ]
