from django.db import migrations, models


def keep_apart_what_was(apps, schema_editor):
    """Of runs on lent data from before: who may see into them, and as whom they wait.

    By the agreements of their own inputs and of those of runs that they go on from, and by
    those under which models and datasets among these were made. What a run fetched while it
    worked is not in it.
    """
    Run = apps.get_model("runs", "Run")
    RunInput = apps.get_model("runs", "RunInput")
    Agreement = apps.get_model("agreements", "Agreement")
    Inherited = apps.get_model("agreements", "Inherited")
    made_under = Inherited.objects.values("repository")
    bound = RunInput.objects.filter(
        models.Q(agreement__isnull=False) | models.Q(revision__repository__in=made_under)
    )
    goes_on_from = dict(Run.objects.values_list("pk", "continues"))
    first_bound = set(bound.values_list("run", flat=True))
    lines = {key: line_of(key, goes_on_from) for key in goes_on_from}
    touched = [key for key, line in lines.items() if line & first_bound]
    for run in [Run.objects.get(pk=key) for key in touched]:
        rows = bound.filter(run__in=lines[run.pk])
        made_of = Inherited.objects.filter(repository__in=rows.values("revision__repository"))
        agreements = Agreement.objects.filter(
            models.Q(pk__in=rows.values("agreement"))
            | models.Q(pk__in=made_of.values("agreement"))
        )
        circle = None
        for one in agreements.select_related("case"):
            named = set(one.organisations.values_list("pk", flat=True))
            if named:
                named.add(one.case.organisation_id)
                circle = named if circle is None else circle & named
        if circle is not None:
            run.meant_for = f",{','.join(str(key) for key in sorted(circle))},"
        if run.state == "waiting" and run.recipe != "lab":
            run.apart = "l"
        run.save(update_fields=["meant_for", "apart"])


def line_of(key, goes_on_from):
    """Name a run, the one that it goes on from, and so on."""
    line = set()
    while key is not None and key not in line:
        line.add(key)
        key = goes_on_from.get(key)
    return line


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
