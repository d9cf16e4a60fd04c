from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("runs", "0012_where_answers_go"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="is_trial",
            field=models.BooleanField(
                default=False,
                help_text="One of several that are compared; its model is not kept.",
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="until_share",
            field=models.FloatField(
                default=1.0, help_text="It ends after this part of its steps, to go on later."
            ),
        ),
        migrations.AddConstraint(
            model_name="run",
            constraint=models.CheckConstraint(
                name="run_until_a_share",
                condition=models.Q(("until_share__gt", 0), ("until_share__lte", 1)),
            ),
        ),
    ]
