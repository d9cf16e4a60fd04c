from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from huggingface_hub import ModelCard

from fabriek.kernel.errors import Invalid, NotAllowed, Refused
from fabriek.kernel.models import Entry
from fabriek.registry import actions
from fabriek.registry.models import Model
from fabriek.store.models import Repository
from tests.factories import a_person, an_organisation, staff
from tests.registry.worlds import plain_model

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path):
    return plain_model(tmp_path / "base")


def bring_in(folder, **changes):
    given = {"title": "Small base", "licence": "apache-2.0", "organisation": an_organisation()}
    return actions.bring_in(folder, **given | {"by": staff()} | changes)


def test_staff_brings_in_a_model_that_everybody_sees(folder):
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Small base\n\nHello.\n")
    (folder / "LICENSE").write_text("Apache")
    (folder / ".gitattributes").write_text("x")

    model = bring_in(folder)

    assert list(Model.objects.visible_to(a_person())) == [model]
    assert list(model.revision.files.values_list("path", flat=True)) == [
        "LICENSE",
        "README.md",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert model.facts == {"parameters_total": 8}
    assert model.card.endswith("Hello.\n")
    assert Repository.objects.get(code=model.code).is_open
    assert Entry.objects.filter(verb="registry.bring_in").count() == 1


def test_a_model_without_a_card_gets_one_that_says_so(folder):
    model = bring_in(folder, title='Base "one" # <b>')

    assert "README.md" in model.revision.files.values_list("path", flat=True)
    assert ModelCard(model.card).data.license == "apache-2.0"
    assert 'Base "one" \\# \\<b\\>' in model.card


def test_others_bring_in_nothing(folder):
    with pytest.raises(NotAllowed):
        bring_in(folder, by=a_person())

    assert not Repository.objects.exists()


def test_a_title_is_given_once(folder):
    bring_in(folder)

    with pytest.raises(Refused) as refused:
        bring_in(folder, title="small BASE")

    assert refused.value.code == "known_title"
    assert Model.objects.count() == 1


@pytest.mark.parametrize("changes", [{"title": " "}, {"licence": ""}, {"title": "a\u202eb"}])
def test_a_title_or_licence_that_will_not_do_is_refused(folder, changes):
    with pytest.raises(Invalid) as refused:
        bring_in(folder, **changes)

    assert refused.value.fields.keys() == changes.keys()


def test_a_pickle_among_the_files_is_refused(folder):
    (folder / "pytorch_model.bin").write_bytes(b"x")

    with pytest.raises(Invalid) as refused:
        bring_in(folder)

    assert refused.value.code == "pickle"
    assert not Repository.objects.exists()


def command(folder, **changes):
    given = {"title": "Small base", "licence": "apache-2.0", "organisation": "", "by": ""}
    out = StringIO()
    call_command("import_model", str(folder), stdout=out, **given | changes)
    return out.getvalue()


def test_the_command_brings_in_a_model(folder):
    owner, person = an_organisation(), staff()

    said = command(folder, organisation=owner.kvk_number, by=person.email.upper())

    model = Model.objects.get()
    assert said == f"{model.code} Small base\n"
    assert model.revision.repository.organisation == owner


def test_the_command_says_what_is_wrong(folder, tmp_path):
    owner, person, other = an_organisation(), staff(), a_person()
    given = {"organisation": owner.kvk_number, "by": person.email}

    for changes, words in (
        ({"organisation": "00000000"}, "no organisation has the KvK number 00000000"),
        ({"by": "nobody@example.org"}, "nobody here has the e-mail address"),
        ({"by": other.email}, "personeel|staff"),
        ({"title": ""}, "."),
    ):
        with pytest.raises(CommandError, match=words):
            command(folder, **given | changes)
    with pytest.raises(CommandError, match="is not a folder"):
        command(tmp_path / "nowhere", **given)

    assert not Model.objects.exists()
