from django.db import migrations, models


def keep_apart_what_was(apps, schema_editor):
    """Of runs on lent data from before: who may see into them, and as whom they wait.

    By the agreements of their own inputs. What a model passed on is not in it.
    """
    Run = apps.get_model("runs", "Run")
    RunInput = apps.get_model("runs", "RunInput")
    lent = RunInput.objects.exclude(agreement=None)
    for run in list(Run.objects.filter(pk__in=lent.values("run")).select_related("case")):
        circle = None
        for one in lent.filter(run=run).select_related("agreement"):
            named = set(one.agreement.organisations.values_list("pk", flat=True))
            if named:
                named.add(run.case.organisation_id)
                circle = named if circle is None else circle & named
        if circle is not None:
            run.meant_for = f",{','.join(str(key) for key in sorted(circle))},"
        if run.state == "waiting" and run.recipe != "lab":
            run.apart = "l"
        run.save(update_fields=["meant_for", "apart"])


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0013_trials_and_parts"),
        ("agreements", "0005_both_languages"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="apart",
            field=models.CharField(
                blank=True,
                default="",
                help_text="What its Unix account ends with (`runs.apart`).",
                max_length=8,
            ),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="run",
            name="meant_for",
            field=models.TextField(
                blank=True,
                default="",
                help_text="Those of the case that could have asked for it too; empty: all of it.",
            ),
            preserve_default=False,
        ),
        migrations.RunPython(keep_apart_what_was, migrations.RunPython.noop),
    ]
