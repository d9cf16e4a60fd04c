"""What recipes can say is read from their sources as xgettext reads it."""

import ast
import re
from pathlib import Path

import fabriek_recipes
from fabriek_recipes import sentences


def test_every_sentence_with_a_translation_is_known_and_no_other():
    catalogue = Path(fabriek_recipes.__file__).parent / "locale/nl/LC_MESSAGES/django.po"
    texts = re.findall(r'^msgid (".*")$', catalogue.read_text(), re.MULTILINE)

    assert sentences.known() == {ast.literal_eval(text) for text in texts} - {""}
