from django.db import migrations


def clean(apps, _schema):
    """Take out of what is kept with models what was in the data: figures and words of rows."""
    Model = apps.get_model('registry', 'Model')
    for model in Model.objects.exclude(evaluation={}).only('evaluation').iterator():
        kept = without_rows(model.evaluation)
        if kept != model.evaluation:
            Model.objects.filter(pk=model.pk).update(evaluation=kept)


def without_rows(evaluation):
    if not isinstance(evaluation, dict):
        return {}
    series = [
        {**one, 'points': [
            {**point, 'actual': None}
            for point in one.get('points', []) if point.get('said') is not None
        ]}
        for one in evaluation.get('series', [])
    ]
    effects = [
        {**one, 'points': []}
        if any(point.get('x') is None for point in one.get('points', [])) else one
        for one in evaluation.get('effects', [])
    ]
    return {**evaluation, 'series': series, 'effects': effects, 'worst': [], 'best': []}


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0006_signature_versions'),
    ]

    operations = [
        migrations.RunPython(clean, migrations.RunPython.noop),
    ]
