"""Words that other catalogues know: themes, access, languages, licences, how often it changes.

Each member's value is the last part of its address at the Publications Office of the European
Union (http://publications.europa.eu/resource/authority/), read in November 2026.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from fabriek.datasets.models import Licence

AUTHORITY = "http://publications.europa.eu/resource/authority"


class Theme(models.TextChoices):
    AGRI = "AGRI", _("agriculture, fisheries, forestry and food")
    ECON = "ECON", _("economy and finance")
    EDUC = "EDUC", _("education, culture and sport")
    ENER = "ENER", _("energy")
    ENVI = "ENVI", _("environment")
    GOVE = "GOVE", _("government and public sector")
    HEAL = "HEAL", _("health")
    INTR = "INTR", _("international issues")
    JUST = "JUST", _("justice, legal system and public safety")
    REGI = "REGI", _("regions and cities")
    SOCI = "SOCI", _("population and society")
    TECH = "TECH", _("science and technology")
    TRAN = "TRAN", _("transport")


class Access(models.TextChoices):
    PUBLIC = "PUBLIC", _("open to everybody")
    RESTRICTED = "RESTRICTED", _("for who has an agreement")
    NON_PUBLIC = "NON_PUBLIC", _("not shared")


class Frequency(models.TextChoices):
    CONT = "CONT", _("all the time")
    DAILY = "DAILY", _("each day")
    WEEKLY = "WEEKLY", _("each week")
    MONTHLY = "MONTHLY", _("each month")
    QUARTERLY = "QUARTERLY", _("each quarter")
    ANNUAL = "ANNUAL", _("each year")
    IRREG = "IRREG", _("now and then")
    NEVER = "NEVER", _("never: it is finished")


class Language(models.TextChoices):
    """The value is what the Hub writes (ISO 639-1); LANGUAGE_CODES has the Union's own."""

    NL = "nl", _("Dutch")
    EN = "en", _("English")
    FY = "fy", _("Frisian")
    DE = "de", _("German")
    FR = "fr", _("French")
    ES = "es", _("Spanish")
    IT = "it", _("Italian")
    PT = "pt", _("Portuguese")
    PL = "pl", _("Polish")
    RO = "ro", _("Romanian")
    DA = "da", _("Danish")
    SV = "sv", _("Swedish")
    TR = "tr", _("Turkish")
    AR = "ar", _("Arabic")
    UK = "uk", _("Ukrainian")


LANGUAGE_CODES = {
    "nl": "NLD",
    "en": "ENG",
    "fy": "FRY",
    "de": "DEU",
    "fr": "FRA",
    "es": "SPA",
    "it": "ITA",
    "pt": "POR",
    "pl": "POL",
    "ro": "RON",
    "da": "DAN",
    "sv": "SWE",
    "tr": "TUR",
    "ar": "ARA",
    "uk": "UKR",
}
LICENCE_CODES = {
    Licence.CC0: "CC0",
    Licence.CC_BY: "CC_BY_4_0",
    Licence.CC_BY_SA: "CC_BYSA_4_0",
    Licence.EUPL: "EUPL_1_2",
}
# Where people read the text itself; Croissant and schema.org link to it.
LICENCE_TEXTS = {
    Licence.CC0: "https://creativecommons.org/publicdomain/zero/1.0/",
    Licence.CC_BY: "https://creativecommons.org/licenses/by/4.0/",
    Licence.CC_BY_SA: "https://creativecommons.org/licenses/by-sa/4.0/",
    Licence.EUPL: "https://spdx.org/licenses/EUPL-1.2.html",
}
# As the Hub writes them in a card; whatever is not here is `other`.
LICENCE_ON_THE_HUB = {
    Licence.CC0: "cc0-1.0",
    Licence.CC_BY: "cc-by-4.0",
    Licence.CC_BY_SA: "cc-by-sa-4.0",
    Licence.EUPL: "eupl-1.2",
}
# What the ends of names say about a file (IANA's register of media types).
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonlines",
    ".ndjson": "application/jsonlines",
    ".json": "application/json",
    ".parquet": "application/vnd.apache.parquet",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".xml": "application/xml",
    ".pdf": "application/pdf",
    ".zip": "application/zip",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
}
ANY_BYTES = "application/octet-stream"


def media_type(path: str) -> str:
    name = path.rpartition("/")[2].lower()
    dot = name.rfind(".")
    return MEDIA_TYPES.get(name[dot:], ANY_BYTES) if dot >= 0 else ANY_BYTES
