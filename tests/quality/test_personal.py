"""Personal data: found by rules, decided by a lead, treated in a new revision, never copied."""

import csv
import json
import logging

import pytest
from django.core import serializers

from fabriek.datasets.models import Dataset
from fabriek.kernel.errors import Invalid, NotAllowed, WrongState
from fabriek.kernel.models import Entry
from fabriek.quality import actions, folders, follow, queries
from fabriek.quality.models import Decision, Look, PseudonymKey, Treatment
from fabriek.quality.states import ErrandState
from fabriek.quality.worker import rules
from fabriek.store import queries as store
from tests.factories import a_partner, a_person
from tests.quality.conftest import look, looked_at, passes, push
from tests.quality.made_up import a_bsn

pytestmark = pytest.mark.django_db(transaction=True)

SECRETS = ["111222333", "NL91ABNA0417164300", "06-12345678", "jan.devries@example.nl"]
PEOPLE = (
    "customer;burgerservicenummer;note;diagnose\n"
    + "".join(
        f"{n};{bsn};{note};gezond\n"
        for n, (bsn, note) in enumerate(
            [
                ("111222333", "bel 06-12345678 of mail jan.devries@example.nl"),
                ("123456782", "rekening NL91ABNA0417164300 graag"),
                ("111222333", "niets te melden over deze klant"),
            ]
        )
    )
).encode()


def found_in(look):
    return {(one["kind"], one["column"]): one["count"] for one in look.result["findings"]}


def hit(text):
    return [(one.kind, text[one.start : one.end]) for one in rules.current().hits(text)]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Mijn BSN is 111222333.", ["bsn"]),
        ("burgerservicenummer: 1112.22.333", ["bsn"]),
        ("BSN 111222334 klopt niet", []),  # fails the 11-test
        ("ordernummer 111222333", []),  # passes it, and is nobody's
        ("bsn onbekend; bedrag 111.222.333,00", []),
        ("NL91 ABNA 0417 1643 00", ["iban"]),
        ("NL92ABNA0417164300", []),
        ("Kerkstraat 12, 1234 AB Utrecht", ["address"]),
        ("1234 AB 12", ["address"]),
        ("artikel 12, 7658 BW", []),
        ("postcode 1234AB", ["postcode"]),
        ("vlucht 1234 AB", []),
        ("bel 020-1234567", ["phone"]),
        ("+31 6 12345678", ["phone"]),
        ("0031612345678", ["phone"]),
        ("bel 0201234567 of 06 - 12345678", ["phone", "phone"]),
        ("factuur 2026-0612345678", []),
        ("op 06-12-2026 14:30 gebeld", []),
        ("jan@example.nl", ["email"]),
        ("prijs @ 3 euro", []),
        ("kenteken 12-BBD-3", ["plate"]),
        ("op 1-JAN-24", []),
        ("model AB-1234-X", []),
        ("BIG-nummer 19012345601", ["big"]),
        ("een big van 19012345601 gram", []),
        ("geboren op 12-03-1980", ["birth"]),
        ("geb. 12 maart 1980", ["birth"]),
        ("born 1980/12/03", ["birth"]),
        ("betaald op 12-03-1980", []),
        ("van 192.168.20.77", ["ip"]),
        ("versie 1.2.3.4", []),
    ],
)
def test_rules_tell_what_is_personal_from_what_looks_like_it(text, kinds):
    assert [kind for kind, _text in hit(text)] == kinds


def test_findings_are_counted_by_column_with_their_rows(dataset):
    found = looked_at(dataset, {"a.csv": PEOPLE})

    assert found_in(found) == {
        ("bsn", "burgerservicenummer"): 3,
        ("special:health", "diagnose"): 3,
        ("phone", "note"): 1,
        ("email", "note"): 1,
        ("iban", "note"): 1,
    }
    assert found.result["names"] == "absent"
    phone = next(one for one in found.result["findings"] if one["kind"] == "phone")
    assert (phone["path"], phone["rows"]) == ("a.csv", [1])


def test_random_numbers_of_nine_digits_raise_no_alarm_and_real_ones_do(dataset):
    random = "".join(f"{100000000 + 7919 * n * n % 899999999}\n" for n in range(500))
    real = "".join(f"{a_bsn(n)}\n" for n in range(500))

    found = looked_at(
        dataset, {"r.csv": f"order\n{random}".encode(), "s.csv": f"nummer\n{real}".encode()}
    )

    assert found_in(found) == {("bsn", "nummer"): 500}


def test_values_are_nowhere_but_in_the_store(dataset, lead, browser, caplog):
    caplog.set_level(logging.DEBUG)
    files = {"a.csv": PEOPLE, "b.txt": f"Mijn BSN is {SECRETS[0]}, bel {SECRETS[2]}\n".encode()}
    found = looked_at(dataset, files)
    actions.decide(dataset, found.revision, "note", choice="mask", by=lead)

    told = [
        serializers.serialize("json", [*Look.objects.all(), *Entry.objects.all(),
                                       *Decision.objects.all()]),
        caplog.text,
        browser(lead).get(f"/data/{dataset.code}/look/").content.decode(),
        browser(lead).get(f"/data/{dataset.code}/personal/").content.decode(),
        browser(lead).get(f"/api/looks/{dataset.code}").content.decode(),
        browser(lead).get(f"/api/looks/{dataset.code}/personal").content.decode(),
    ]  # fmt: skip

    assert [
        (secret, at) for secret in SECRETS for at, text in enumerate(told) if secret in text
    ] == []
    assert all("note" in text for text in told[2:])


def test_what_the_worker_writes_holds_no_value_even_where_a_file_is_broken(
    dataset, lead, monkeypatch
):
    broken = PEOPLE + b"4;x" + SECRETS[0].encode() + b';unclosed "' + SECRETS[3].encode()
    kept = []
    real = folders.clear
    monkeypatch.setattr(
        folders, "clear", lambda folder: (kept.append(read(folder)), real(folder))
    )

    def read(folder):
        return "".join(path.read_text() for path in folder.glob("*.json"))

    looked_at(dataset, {"a.csv": broken})

    assert kept
    assert [secret for secret in SECRETS if secret in kept[0]] == []


def test_only_a_lead_of_the_case_decides(dataset):
    partner = a_person()
    a_partner(dataset.case, lead=partner)
    found = looked_at(dataset, {"a.csv": PEOPLE})

    for person in (partner, a_person()):
        with pytest.raises(NotAllowed):
            actions.decide(dataset, found.revision, "note", choice="mask", by=person)

    assert not Decision.objects.exists()


def test_keeping_data_needs_a_reason(dataset, lead):
    found = looked_at(dataset, {"a.csv": PEOPLE})

    with pytest.raises(Invalid) as refused:
        actions.decide(dataset, found.revision, "note", choice="accept", by=lead)

    assert set(refused.value.fields) == {"reason"}
    kept = actions.decide(
        dataset, found.revision, "note", choice="accept", reason="Made up by us.", by=lead
    )
    assert kept.kinds == ["email", "iban", "phone"]


def test_a_column_without_findings_is_not_decided_about(dataset, lead):
    found = looked_at(dataset, {"a.csv": PEOPLE})

    with pytest.raises(Invalid):
        actions.decide(dataset, found.revision, "customer", choice="drop", by=lead)


def test_a_decision_holds_until_something_else_is_found(dataset, lead):
    found = looked_at(dataset, {"a.csv": b"note\nbel 06-12345678\n"})
    actions.decide(dataset, found.revision, "note", choice="accept", reason="Ours.", by=lead)
    assert queries.found_in(found.revision)[0].is_decided

    later = looked_at(dataset, {"a.csv": b"note\nbel 06-12345678 of a@example.nl\n"})

    assert not queries.found_in(later.revision)[0].is_decided


def test_decisions_are_carried_out_in_a_new_revision(dataset, lead):
    found = looked_at(dataset, {"a.csv": PEOPLE, "other.csv": b"x,y\n1,2\n"})
    decide(
        dataset, lead, found, burgerservicenummer="pseudonymise", note="mask", diagnose="drop"
    )

    treatment = passes(actions.treat(dataset, found.revision, by=lead))

    assert (treatment.state, treatment.trouble) == (ErrandState.DONE, "")
    made = store.listing(treatment.made)
    assert sorted(made) == ["a.csv", "other.csv"]
    rows = read_csv(made["a.csv"])
    assert [sorted(row) for row in rows] == [["burgerservicenummer", "customer", "note"]] * 3
    assert [row["note"] for row in rows] == [
        "bel [PHONE] of mail [EMAIL]",
        "rekening [IBAN] graag",
        "niets te melden over deze klant",
    ]
    signs = [row["burgerservicenummer"] for row in rows]
    assert signs[0] == signs[2] != signs[1]
    assert all(len(sign) == 32 and sign not in SECRETS for sign in signs)


def test_the_old_revision_stays_and_the_lineage_is_kept(dataset, lead):
    found = looked_at(dataset, {"a.csv": PEOPLE})
    decide(dataset, lead, found, burgerservicenummer="drop", note="mask", diagnose="drop")

    treatment = passes(actions.treat(dataset, found.revision, by=lead))

    assert treatment.made.parent == found.revision
    assert treatment.rules_version == "nl-2"
    assert treatment.changed == {"a.csv": {"burgerservicenummer": 3, "diagnose": 3, "note": 2}}
    assert sorted(store.listing(found.revision)) == ["a.csv"]
    asked = Entry.objects.get(verb="quality.ask_treatment")
    assert asked.details["columns"] == {
        "burgerservicenummer": "drop", "diagnose": "drop", "note": "mask",
    }  # fmt: skip
    done = look(Dataset.objects.get(pk=dataset.pk))
    assert done.result["findings"] == []


def test_pseudonyms_join_within_a_dataset_and_differ_between_datasets(dataset, lead):
    both = {"a.csv": b"bsn;x\n111222333;1\n123456782;2\n", "b.jsonl": _rows("111222333")}
    signs = []
    from tests.datasets.conftest import made as another  # noqa: PLC0415

    for one in (dataset, another(by=lead)):
        found = looked_at(one, both)
        decide(one, lead, found, bsn="pseudonymise")
        treatment = passes(actions.treat(one, found.revision, by=lead))
        files = store.listing(treatment.made)
        rows = read_csv(files["a.csv"])
        with store.the_store().open(files["b.jsonl"]) as file:
            line = json.loads(file.readline())
        assert line["bsn"] == rows[0]["bsn"]
        assert line["text"] == "a row of text"
        signs.append(line["bsn"])

    assert signs[0] != signs[1]
    assert PseudonymKey.objects.count() == 2


def _rows(bsn):
    return (json.dumps({"text": "a row of text", "bsn": bsn}) + "\n").encode()


def test_a_column_of_numbers_without_a_telling_name_is_masked_as_a_whole(dataset, lead):
    numbers = [a_bsn(n) for n in range(40)]
    content = "code;x\n" + "".join(f"{number};1\n" for number in numbers)
    found = looked_at(dataset, {"a.csv": content.encode()})
    decide(dataset, lead, found, code="mask")

    treatment = passes(actions.treat(dataset, found.revision, by=lead))

    rows = read_csv(store.listing(treatment.made)["a.csv"])
    assert {row["code"] for row in rows} == {"[BSN]"}


def test_nested_text_in_json_lines_is_masked_where_it_stands(dataset, lead):
    row = {"messages": [{"role": "user", "content": "bel 06-12345678"},
                        {"role": "assistant", "content": "goed"}]}  # fmt: skip
    found = looked_at(dataset, {"a.jsonl": (json.dumps(row) + "\n").encode()})
    decide(dataset, lead, found, messages="mask")

    treatment = passes(actions.treat(dataset, found.revision, by=lead))

    with store.the_store().open(store.listing(treatment.made)["a.jsonl"]) as file:
        made = json.loads(file.read())
    assert [one["content"] for one in made["messages"]] == ["bel [PHONE]", "goed"]


def test_nothing_to_treat_and_a_newer_revision_are_refused(dataset, lead):
    found = looked_at(dataset, {"a.csv": PEOPLE})
    with pytest.raises(Invalid):
        actions.treat(dataset, found.revision, by=lead)
    decide(dataset, lead, found, note="mask")
    push(dataset, {"c.csv": b"a,b\n1,2\n"})

    with pytest.raises(WrongState):
        actions.treat(dataset, found.revision, by=lead)

    assert not Treatment.objects.exists()


def test_a_push_while_it_is_made_is_not_overwritten(dataset, lead):
    found = looked_at(dataset, {"a.csv": PEOPLE})
    decide(dataset, lead, found, note="mask")
    treatment = actions.treat(dataset, found.revision, by=lead)
    newer = push(dataset, {"c.csv": b"a,b\n1,2\n"})

    passes(treatment)

    assert (treatment.state, treatment.trouble) == (ErrandState.FAILED, "not_saved")
    assert store.latest(dataset.repository) == newer


def test_two_treatments_at_once_are_one(dataset, lead):
    found = looked_at(dataset, {"a.csv": PEOPLE})
    decide(dataset, lead, found, note="mask")
    actions.treat(dataset, found.revision, by=lead)

    with pytest.raises(WrongState):
        actions.treat(dataset, found.revision, by=lead)

    assert Treatment.objects.count() == 1


def test_the_key_of_pseudonyms_is_in_no_file_of_the_worker(dataset, lead, slow_worker):
    found = looked_at_first(dataset, slow_worker)
    decide(dataset, lead, found, burgerservicenummer="pseudonymise")
    treatment = actions.treat(dataset, found.revision, by=lead)
    folder = folders.folder_of(treatment)
    passes(treatment, until=lambda: folders.was_started(folder))

    secret = follow.asked.secret_of(treatment)
    salt = PseudonymKey.objects.get().salt

    text = "".join(path.read_text() for path in folder.glob("*") if path.is_file())
    assert len(secret) == 64
    assert secret not in text
    assert salt not in text
    actions.cancel(treatment, by=lead)
    passes(treatment)


def looked_at_first(dataset, slow_worker):
    """Look with a worker that waits, then is told to go on."""
    revision = push(dataset, {"a.csv": PEOPLE})
    found = actions.ask_look(dataset, revision, by=dataset.created_by)
    folder = folders.folder_of(found)
    passes(found, until=lambda: folders.was_started(folder))
    slow_worker()
    return passes(found)


def test_a_run_is_warned_of_what_nobody_decided(dataset, lead):
    revision = push(dataset, {"a.csv": PEOPLE})
    assert queries.warnings_for(revision) == [
        "Nobody has looked at these data yet: problems and personal data are not known."
    ]

    found = look(dataset, revision)
    assert queries.warnings_for(revision) == [
        "3 columns seem to hold personal data, and nobody decided yet what to do with them."
    ]

    for column in ("note", "burgerservicenummer", "diagnose"):
        actions.decide(
            dataset, found.revision, column, choice="accept", reason="Ours.", by=lead
        )
    assert queries.warnings_for(revision) == []


def decide(dataset, lead, look, **choices):
    for column, choice in choices.items():
        actions.decide(dataset, look.revision, column, choice=choice, by=lead)


def read_csv(blob):
    with store.the_store().open(blob) as file:
        return list(csv.DictReader(file.read().decode().splitlines(), delimiter=";"))
