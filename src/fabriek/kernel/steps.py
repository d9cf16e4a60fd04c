"""What somebody can do next with a thing: shown alike by pages, API and command line."""

from dataclasses import dataclass
from typing import Literal

from ninja import Schema

from fabriek.kernel.errors import Text


@dataclass(frozen=True, kw_only=True, slots=True)
class NextStep:
    """One open step. `sentence` says why one would take it, `label` stands on the button."""

    name: str
    label: Text
    sentence: Text
    url: str
    method: Literal["get", "post"] = "post"
    tone: Literal["", "danger"] = ""


class StepOut(Schema):
    """A step as the API lists it."""

    name: str
    label: str
    sentence: str

    @classmethod
    def of(cls, name: str, words: tuple[Text, Text]) -> "StepOut":
        """Tell a step from its label and sentence alone: a list needs no address of it."""
        label, sentence = words
        return cls.model_construct(name=name, label=str(label), sentence=str(sentence))

    @staticmethod
    def resolve_label(step: NextStep) -> str:
        return str(step.label)

    @staticmethod
    def resolve_sentence(step: NextStep) -> str:
        return str(step.sentence)
