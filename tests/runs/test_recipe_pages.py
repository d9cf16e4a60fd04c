"""Pages that tell what each recipe is for, to anybody, in both languages."""

import pytest
from django.test import Client
from django.utils import translation
from django.utils.translation import gettext

from fabriek_recipes.guides import GUIDES
from fabriek_recipes.recipe import catalogue, runnable


@pytest.fixture
def reader(db, monkeypatch):
    """Somebody without an account, at a factory that offers own code too."""
    monkeypatch.setattr("fabriek.runs.own_code.is_offered", lambda: True)
    return Client()


def test_every_recipe_that_is_offered_has_a_guide():
    assert GUIDES.keys() == catalogue().keys()


def test_what_is_named_instead_is_there_and_is_another():
    for name, guide in GUIDES.items():
        assert all(one.recipe in runnable() and one.recipe != name for one in guide.instead)
        assert guide.fits
        assert guide.instead


@pytest.mark.parametrize("name", sorted(GUIDES))
@pytest.mark.parametrize("language", ["en", "nl"])
def test_a_page_tells_when_and_what(reader, name, language, django_assert_num_queries):
    guide = GUIDES[name]
    with translation.override(language):
        said = [gettext(one) for one in (*guide.fits, guide.bring, guide.get, guide.after)]
        with django_assert_num_queries(0):
            page = reader.get(f"/runs/recipes/{name}/", headers={"Accept-Language": language})
    text = page.content.decode().replace("&#x27;", "'").replace("&quot;", '"')

    assert page.status_code == 200
    assert [one for one in said if one not in text] == []


def test_it_is_said_in_dutch():
    for guide in GUIDES.values():
        sentences = [*guide.fits, *(one.when for one in guide.instead)]
        sentences += [guide.bring, guide.get, guide.rough, guide.after]
        with translation.override("nl"):
            assert [one for one in sentences if gettext(one) == one] == []


def test_the_settings_stand_there_with_what_is_usual_and_allowed(reader):
    page = reader.get("/runs/recipes/finetune_lm/", headers={"Accept-Language": "en"}).text

    assert "--learning-rate" in page
    assert "fabriek run finetune_lm --case C26-0001 --data D26-0001 --model M26-0001" in page


def test_unknown_recipes_and_those_that_are_not_offered_are_not_there(reader, monkeypatch):
    monkeypatch.setattr("fabriek.runs.own_code.is_offered", lambda: False)

    assert reader.get("/runs/recipes/script/").status_code == 404
    assert reader.get("/runs/recipes/nothing/").status_code == 404
    assert reader.get("/runs/recipes/lab/").status_code == 404


def test_the_list_leads_to_each(reader):
    page = reader.get("/runs/recipes/", headers={"Accept-Language": "en"}).text

    for name in GUIDES:
        assert f"/runs/recipes/{name}/" in page
