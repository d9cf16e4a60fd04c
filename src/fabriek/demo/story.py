"""The story the demo tells: who, which case, which answers, which settings. All made up."""

from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """Somebody the demo signs in as. `duty` is what they do for the factory."""

    key: str
    what: str
    name: str
    email: str
    duty: str = ""
    funder_code: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Firm:
    name: str
    kvk_number: str
    kind: str
    region: str
    staff_count: int
    turnover_eur: int
    balance_eur: int


APPLICANT = Role(
    key="applicant",
    what="applicant, of a small company",
    name="Fenna Dijkstra",
    email="fenna@meldpunt-noord.example",
)
PARTNER = Role(
    key="partner",
    what="partner, of a knowledge institute",
    name="Joris Bakema",
    email="joris@taallab.example",
)
STAFF = Role(
    key="staff",
    what="factory staff",
    name="Marit Wolthuis",
    email="marit@fabriek.example",
    duty="staff",
)
ASSESSOR = Role(
    key="assessor",
    what="technical assessor",
    name="Youssef Amrani",
    email="youssef@fabriek.example",
    duty="assessor",
)
FUNDER = Role(
    key="funder",
    what="funder",
    name="Hilde Postma",
    email="hilde@financier.example",
    duty="funder",
    funder_code="state",
)
ROLES = (APPLICANT, PARTNER, STAFF, ASSESSOR, FUNDER)

COMPANY = Firm(
    name="Meldpunt Noord B.V. (verzonnen)",
    kvk_number="90000012",
    kind="sme",
    region="Groningen",
    staff_count=12,
    turnover_eur=1_600_000,
    balance_eur=700_000,
)
INSTITUTE = Firm(
    name="Taallab Noord (verzonnen)",
    kvk_number="90000029",
    kind="knowledge",
    region="Groningen",
    staff_count=340,
    turnover_eur=31_000_000,
    balance_eur=22_000_000,
)

CASE = {
    "title": "Berichten van inwoners direct bij het goede loket",
    "problem": (
        "Inwoners sturen berichten over zorg, verkeer en veiligheid. Onze mensen lezen elk "
        "bericht, kiezen een afdeling en schatten hoe dringend het is. Dat kost een halve dag "
        "per dag, en dringende berichten blijven soms te lang liggen. Een klein open taalmodel "
        "dat op onze eigen computer draait, kan dit voorsorteren; een mens beslist."
    ),
    "data_description": (
        "Verzonnen Nederlandse berichten met afdeling en urgentie, en gewone Nederlandse "
        "tekst. Geen persoonsgegevens."
    ),
    "trl_now": 3,
    "trl_aimed": 6,
    "is_confidential": False,
}
# The institute's own: it may measure models on the company's messages, by an agreement.
STUDY = {
    "title": "Hoe goed verstaan kleine taalmodellen gewone berichten?",
    "problem": (
        "Er is geen eerlijke maat voor hoe goed kleine Nederlandse taalmodellen berichten van "
        "inwoners verstaan. Wij maken die maat, en publiceren alleen de cijfers."
    ),
    "data_description": "Berichten van Meldpunt Noord, onder een overeenkomst.",
    "trl_now": 2,
    "trl_aimed": 4,
    "is_confidential": False,
}
STUDY_DAYS = 180
STUDY_CONDITIONS = "Berichten worden niet geciteerd, ook niet als voorbeeld."
STUDY_ANSWER = "Akkoord. Wij sturen de cijfers eerst naar jullie."
SECTOR = "care"
INVITATION = "Willen jullie meedenken over de opzet en de meting? Jullie kennen taalmodellen."

INTAKE = {
    "purpose": "try",
    "experience": "none",
    "gpu_hours_guess": 500,
    "months": 3,
    "is_eu_funded": False,
}
MODE = "playground"
MONTHS = 3
ANSWERS: dict[str, dict[str, object]] = {
    "project": {
        "approach": "new_model",
        "result": (
            "Als het model van tien nieuwe berichten er minstens zeven precies goed sorteert, "
            "op afdeling en op urgentie samen."
        ),
    },
    "data": {
        "data_description": CASE["data_description"],
        "data_size": 1,
        "personal_data": "no",
    },
    "use": {"months": MONTHS, "help_wanted": "start"},
    "consents": {
        "civilian_purpose": "yes",
        "no_double_funding": "yes",
        "aid_received": 0,
        "accepts_terms": "yes",
    },
}
FEASIBLE = "Klein model, weinig data: past ruim op één GPU. Goed dat er een meting vooraf is."
REASONS = (
    "Duidelijke vraag, eigen data, een partner met kennis. Het verzoek past bij Playground."
)

TEXT_TITLE = "Gewone Nederlandse tekst (verzonnen)"
TEXT_FILES = {"tekst.txt": DATA / "tekst.txt"}
ROWS_TITLE = "Berichten met afdeling en urgentie (verzonnen)"
# A file with “apart” in its name is what the recipe scores on and never learns from.
ROWS_FILES = {
    "berichten.jsonl": DATA / "berichten.jsonl",
    "berichten-apart.jsonl": DATA / "berichten_apart.jsonl",
}

# Chosen so that both runs together take about two minutes on two processor cores.
PRETRAIN_KNOBS: dict[str, object] = {
    "size": "mini",
    "vocabulary": 4096,
    "epochs": 4,
    "learning_rate": 5e-3,
    "tokens_per_step": 1024,
    "context_tokens": 128,
}
FINETUNE_KNOBS: dict[str, object] = {
    "method": "full",
    "epochs": 5,
    "learning_rate": 2e-3,
    # Twice as many steps as with 1,024, which ended in the middle of learning: with what score
    # then hung on the processor.
    "tokens_per_step": 512,
    "weight_decay": 0.1,
}
