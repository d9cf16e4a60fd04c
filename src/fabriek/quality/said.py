"""Problems and findings in words: what it is, and what to do about it."""

from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from fabriek.kernel import words
from fabriek.kernel.errors import Text
from fabriek.quality.problem_words import PROBLEMS

Json = dict[str, Any]

# Why a look or a treatment came to nothing, where it is not said of a file above.
TROUBLES: dict[str, Text] = {
    "died": gettext_lazy(
        "The program that read the data stopped halfway, perhaps because a file is damaged or "
        "asks for too much memory. Nothing was changed. Try again; if it stops again, leave "
        "out the file it stopped at."
    ),
    "too_heavy": gettext_lazy(
        "Reading took more memory than a look may have, or stopped halfway, also without "
        "%(paths)s. Nothing was changed. Split those files in smaller ones, or leave them out; "
        "then a next look tells which others are too much."
    ),
    "too_long": gettext_lazy(
        "It took longer than a look may take, and was stopped. Split the data in smaller "
        "datasets."
    ),
    "not_followed": gettext_lazy(
        "Something went wrong in the factory itself, so it was ended. Nothing was changed. Try "
        "again; if it stays so, tell the factory's staff."
    ),
    "no_walls": gettext_lazy(
        "The program that reads data could not be locked in on this machine, so it read "
        "nothing. Tell the factory's staff."
    ),
    "same_path": gettext_lazy(
        "Two files would get the same name in the new revision, so it was not made. Rename one "
        "of them."
    ),
    "not_laid": gettext_lazy(
        "The files could not be read from the store. Try again; if it stays so, tell the "
        "factory's staff."
    ),
    "nothing_changed": gettext_lazy(
        "Nothing had to be changed in the files, so no new revision was made."
    ),
    "no_names": gettext_lazy(
        "Names cannot be masked here, as the program that finds them is not installed or "
        "stopped halfway. Nothing was changed. Leave the column out, or ask the factory's "
        "staff."
    ),
    "not_saved": gettext_lazy("The new revision was not saved. %(why)s"),
}
KINDS: dict[str, Text] = {
    "bsn": gettext_lazy("citizen service number (BSN)"),
    "iban": gettext_lazy("bank account (IBAN)"),
    "email": gettext_lazy("e-mail address"),
    "phone": gettext_lazy("telephone number"),
    "address": gettext_lazy("address"),
    "postcode": gettext_lazy("postcode"),
    "plate": gettext_lazy("licence plate"),
    "big": gettext_lazy("number of a care worker (BIG)"),
    "birth": gettext_lazy("date of birth"),
    "ip": gettext_lazy("IP address"),
    "name": gettext_lazy("name of a person"),
    "special:health": gettext_lazy("health (special category)"),
    "special:religion": gettext_lazy("religion or belief (special category)"),
    "special:origin": gettext_lazy("race or origin (special category)"),
    "special:politics": gettext_lazy("political opinion (special category)"),
    "special:union": gettext_lazy("trade union (special category)"),
    "special:sexuality": gettext_lazy("sexuality (special category)"),
    "special:genetic": gettext_lazy("genetic data (special category)"),
    "special:biometric": gettext_lazy("biometric data (special category)"),
    "special:criminal": gettext_lazy("criminal record"),
}
SEVERITIES: dict[str, Text] = {
    "wrong": gettext_lazy("wrong"),
    "attention": gettext_lazy("look at this"),
    "note": gettext_lazy("good to know"),
}
DOING: dict[str, Text] = {
    "bring": gettext_lazy("Bringing the files to this machine: %(done)s%% is here"),
    "tables": gettext_lazy("Reading %(path)s (%(done)s of %(of)s files)"),
    "personal": gettext_lazy("Looking for personal data in %(path)s"),
    "pictures": gettext_lazy("Looking at pictures (%(done)s of %(of)s)"),
    "same_files": gettext_lazy("Comparing files that may be the same"),
    "doubles": gettext_lazy("Comparing all rows"),
    "near": gettext_lazy("Looking for rows that are nearly the same"),
    "languages": gettext_lazy("Counting tokens and languages"),
    "treat": gettext_lazy("Writing %(path)s anew (%(done)s of %(of)s files)"),
}


def problem(told: Json) -> tuple[str, str]:
    """Say what is wrong, and what to do."""
    what, mend = PROBLEMS.get(told["code"], (told["code"], ""))
    facts = _facts(told)
    return str(what) % facts, str(mend) % facts


def trouble(code: str, facts: Json) -> str:
    """Say why it came to nothing."""
    if code in TROUBLES:
        return str(TROUBLES[code]) % {"why": "", **facts}
    what, mend = problem({"code": code, "count": facts.get("count", 0), "facts": facts})
    path = f"“{facts['path']}”: " if facts.get("path") else ""
    return f"{path}{what} {mend}".strip()


def kind(code: str) -> str:
    return str(KINDS.get(code, code))


def rows(numbers: list[int], count: int) -> str:
    """Name the first rows, and how many there are beside them."""
    if not numbers:
        return ""
    named = ", ".join(words.number(number) for number in numbers[:10])
    more = count - len(numbers[:10])
    if more <= 0:
        return ngettext("row %(rows)s", "rows %(rows)s", len(numbers)) % {"rows": named}
    return _("rows %(rows)s and %(more)s more") % {"rows": named, "more": words.number(more)}


def treated(number: int) -> str:
    """Say in the factory's own language what a treatment made: who reads it is not known."""
    with translation.override(settings.LANGUAGE_CODE):
        return _("Personal data treated, made from revision %(number)d") % {"number": number}


def doing(progress: Json) -> str:
    sentence = DOING.get(str(progress.get("doing", "")))
    if sentence is None:
        return ""
    return str(sentence) % {
        "path": progress.get("path", ""),
        "done": words.number(int(progress.get("done", 0))),
        "of": words.number(int(progress.get("of", 0))),
    }


def _facts(told: Json) -> dict[str, str]:
    facts = {"count": told.get("count", 0), "of": 0, "tokens": 0} | (told.get("facts") or {})
    return {
        name: words.number(value) if isinstance(value, int | float) else str(value)
        for name, value in facts.items()
    }
