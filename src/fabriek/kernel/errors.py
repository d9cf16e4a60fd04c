"""Every refusal the platform can give.

Refused                    409  the world is not in the right state for this
├── NotAllowed             403  you may not do this
├── WrongState             409  this step is not open from where the thing stands
├── NotEnough              409  there is not enough of something left
├── Invalid                422  what was given is wrong; `fields` says where
├── TooLarge               413  more than the factory takes
└── StorageFull            507  the disk is full; nothing was kept

A refusal is expected: it carries a translated sentence for the person who asked (what is
wrong, why, what to do) and a stable `code` for the program that asked. Anything else that is
raised is a bug.
"""

from collections.abc import Mapping
from typing import ClassVar

from django.utils.functional import Promise

Text = str | Promise


class Refused(Exception):
    code: str = "refused"
    status: ClassVar[int] = 409

    def __init__(
        self,
        sentence: Text,
        *,
        code: str = "",
        fields: Mapping[str, Text] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.fields = dict(fields or {})
        if code:
            self.code = code

    def __str__(self) -> str:
        return str(self.sentence)


class NotAllowed(Refused):
    code = "not_allowed"
    status = 403


class WrongState(Refused):
    code = "wrong_state"


class NotEnough(Refused):
    code = "not_enough"


class Invalid(Refused):
    code = "invalid"
    status = 422


class TooLarge(Refused):
    code = "too_large"
    status = 413


class StorageFull(Refused):
    code = "storage_full"
    status = 507
