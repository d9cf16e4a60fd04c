"""Signatures over models: true to the format, made once, and of no use to who tampers."""

import hashlib
import json
import os
import stat
import subprocess
from base64 import b64decode
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.utils import timezone

from fabriek.kernel.errors import Refused
from fabriek.registry import actions, collect, signing, signing_keep, signing_key
from fabriek.registry.models import Model, Signature, SigningKey
from fabriek.store import actions as store
from fabriek.store.queries import the_store
from tests.factories import a_person, staff
from tests.registry.test_faces import a_trained_model, an_open_model
from tests.registry.worlds import a_finished_run
from tests.threads import at_once, many_connections  # noqa: F401  a fixture

pytestmark = pytest.mark.django_db

TOOL = Path(
    os.environ.get("FABRIEK_TEST_SIGNING")
    or Path(__file__).resolve().parents[2] / ".signing-client/bin/model_signing"
)


@pytest.fixture(autouse=True)
def looked_at_nothing_yet(monkeypatch):
    monkeypatch.setattr(signing_keep, "rhythm", signing_keep.Rhythm())


def a_signed_model():
    model, _lead, member = a_trained_model()
    signing_keep.tick()
    return model, Signature.objects.get(revision=model.revision), member


def statement_of(bundle, public_pem):
    """Check the signature as the DSSE specification says, and give what was signed."""
    envelope = json.loads(bundle)["dsseEnvelope"]
    payload, kind = b64decode(envelope["payload"]), envelope["payloadType"]
    signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    key = serialization.load_pem_public_key(public_pem.encode())
    signature = b64decode(envelope["signatures"][0]["sig"])
    key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
    return json.loads(payload)


def written_out(model, folder):
    for file in model.revision.files.select_related("blob"):
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        with the_store().open(file.blob) as content:
            place.write_bytes(content.read())
    return folder


# --- the format --------------------------------------------------------------------------
def test_each_file_is_named_with_its_digest_and_the_key_holds_for_it():
    model, signature, _member = a_signed_model()

    told = statement_of(signature.bundle, signature.key.pem)

    digests = dict(model.revision.files.values_list("path", "blob__sha256"))
    resources = told["predicate"]["resources"]
    assert {one["name"]: one["digest"] for one in resources} == digests
    assert (told["_type"], told["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://model_signing/signature/v1.0",
    )
    whole = hashlib.sha256(b"".join(bytes.fromhex(one["digest"]) for one in resources))
    assert told["subject"] == [{"name": model.code, "digest": {"sha256": whole.hexdigest()}}]
    hint = json.loads(signature.bundle)["verificationMaterial"]["publicKey"]["hint"]
    assert hint == signature.key.fingerprint == signing.fingerprint(signature.key.pem)


def test_another_key_does_not_hold_for_it():
    _model, signature, _member = a_signed_model()
    other = signing.pem(ec.generate_private_key(ec.SECP256R1()))

    with pytest.raises(InvalidSignature):
        statement_of(signature.bundle, other)


def test_nothing_that_is_signed_is_also_left_out():
    files = {".gitattributes": "00" * 32, "config.json": "11" * 32}

    told = json.loads(signing.statement("M1", files))["predicate"]

    assert ".gitattributes" not in told["serialization"]["ignore_paths"]
    assert ".cache" in told["serialization"]["ignore_paths"]


@pytest.mark.skipif(not TOOL.exists(), reason="made by dev/test-signing")
def test_the_real_tool_finds_it_good_and_names_what_was_changed(tmp_path):
    model, signature, _member = a_signed_model()
    folder = written_out(model, tmp_path / "model")
    (folder / "model.sig").write_text(signature.bundle)
    (tmp_path / "key.pem").write_text(signature.key.pem)
    words = ["--signature", folder / "model.sig", "--public_key", tmp_path / "key.pem"]

    def verified():
        command = [TOOL, "verify", "key", folder, *words]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    code, said = verified()
    assert code == 0, said
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + b"\1")
    code, said = verified()
    assert code != 0
    assert "model.safetensors" in said
    weights.write_bytes(whole)
    (folder / "extra.json").write_text("{}")
    assert verified()[0] != 0
    (folder / "extra.json").unlink()
    (folder / ".cache/huggingface").mkdir(parents=True)
    (folder / ".cache/huggingface/config.json.metadata").write_text("what a client keeps")
    assert verified()[0] == 0


# --- when and by whom --------------------------------------------------------------------
def test_the_loop_signs_what_it_registered_and_signs_it_once():
    a_finished_run()
    collect.tick()
    model = Model.objects.get()

    signing_keep.tick()
    first = Signature.objects.get(revision=model.revision).bundle
    signing_keep.tick()

    assert Signature.objects.get().bundle == first


def test_what_is_new_is_signed_in_the_next_pass_and_what_is_old_within_a_minute():
    old, _lead, _member = a_trained_model()
    signing_keep.tick()
    new = actions.register(a_finished_run())
    Signature.objects.all().delete()
    Model.objects.filter(pk=old.pk).update(registered_at=timezone.now() - timedelta(days=1))

    signing_keep.tick()
    soon = list(Signature.objects.values_list("revision", flat=True))
    signing_keep.rhythm.all_from -= signing_keep.ALL_EVERY_S
    signing_keep.tick()

    assert soon == [new.revision_id]
    assert Signature.objects.filter(revision=old.revision_id).exists()


def test_one_model_that_cannot_be_signed_does_not_keep_the_others(monkeypatch, caplog):
    broken, _lead, _member = a_trained_model()
    sound = actions.register(a_finished_run())
    sign = signing_keep.sign

    def sign_but_one(model, key):
        if model.pk == broken.pk:
            raise ValueError("a digest that is none")
        return sign(model, key)

    monkeypatch.setattr(signing_keep, "sign", sign_but_one)
    signing_keep.tick()

    assert Signature.objects.get().revision_id == sound.revision_id
    assert f"{broken.code} could not be signed" in caplog.text


def test_signing_twice_at_once_keeps_the_first():
    model, signature, _member = a_signed_model()

    again = signing_keep.sign(model, signing_key.private())

    assert (again, again.bundle) == (signature, signature.bundle)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("many_connections")
def test_two_loops_at_once_keep_one_signature_and_one_key():
    model, _lead, _member = a_trained_model()

    def sign():
        return signing_keep.sign(model, signing_key.private()).bundle

    first, second = at_once(sign, sign)

    assert first == second == Signature.objects.get().bundle
    assert SigningKey.objects.count() == 1


def test_the_files_are_not_read_again(monkeypatch):
    a_trained_model()

    def never(*_args):
        raise AssertionError("the store knows the digests")

    monkeypatch.setattr(type(the_store()), "open", never)
    signing_keep.tick()

    assert Signature.objects.count() == 1


def test_a_base_model_is_signed_too_and_a_new_revision_anew(tmp_path):
    model = an_open_model(tmp_path)
    signing_keep.tick()
    model.revision = store.commit(
        model.repository, {}, message="smaller", by=staff(), delete=["tokenizer.json"]
    )
    model.save()

    signing_keep.rhythm.all_from = 0.0
    signing_keep.tick()

    assert Signature.objects.count() == 2
    told = statement_of(model.revision.signature.bundle, SigningKey.objects.get().pem)
    names = [one["name"] for one in told["predicate"]["resources"]]
    assert names == ["README.md", "config.json", "model.safetensors"]


# --- the key -----------------------------------------------------------------------------
def test_the_key_is_made_once_for_its_owner_only(settings):
    first = signing_key.private()

    again = signing_key.private()

    path = Path(settings.SIGNING_KEY)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert again.private_numbers() == first.private_numbers()
    assert [one.name for one in path.parent.glob("signing-key*")] == ["signing-key.pem"]


@pytest.mark.parametrize("kind", ["nonsense", "rsa", "another curve", "a folder"])
def test_a_wrong_key_signs_nothing_and_is_said_in_words(settings, caplog, kind):
    path = Path(settings.SIGNING_KEY)
    if kind == "a folder":
        path.mkdir()
    elif kind == "nonsense":
        path.write_text("nonsense")
    else:
        made = (
            rsa.generate_private_key(65537, 2048)
            if kind == "rsa"
            else ec.generate_private_key(ec.SECP384R1())
        )
        path.write_bytes(
            made.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    a_trained_model()

    with pytest.raises(Refused, match="No model can be signed"):
        signing_key.private()
    signing_keep.tick()
    signing_keep.tick()

    assert not Signature.objects.exists()
    assert len([one for one in caplog.records if "No model can be signed" in one.message]) == 1


def test_anybody_gets_the_key_and_an_older_one_by_its_fingerprint(client, settings):
    assert client.get("/.well-known/model-signing.pem").status_code == 404
    _model, signature, _member = a_signed_model()
    old = signature.key
    Path(settings.SIGNING_KEY).unlink()
    actions.register(a_finished_run())
    signing_keep.tick()
    new = SigningKey.objects.exclude(pk=old.pk).get()

    assert client.get("/.well-known/model-signing.pem").content.decode() == new.pem
    address = f"/.well-known/model-signing/{old.fingerprint}.pem"
    assert client.get(address).content.decode() == old.pem
    assert "PRIVATE" not in old.pem


# --- who may have it ---------------------------------------------------------------------
def test_its_makers_get_the_signature_and_strangers_do_not(browser, program, client):
    model, signature, member = a_signed_model()
    page, api = f"/models/{model.code}/model.sig", f"/api/models/{model.code}/signature"

    for answer in (browser(member).get(page), program(member).get(api)):
        assert answer.status_code == 200
        assert answer.content.decode() == signature.bundle
    for answer in (browser(a_person()).get(page), program(staff()).get(api)):
        assert answer.status_code == 404
    assert client.get(page).status_code == 302
    assert client.get(api).status_code == 401


def test_everybody_who_may_fetch_an_open_model_gets_its_signature(program, tmp_path):
    model = an_open_model(tmp_path)
    signing_keep.tick()

    answer = program(a_person()).get(f"/api/models/{model.code}/signature")

    assert answer.content.decode() == Signature.objects.get().bundle


def test_the_page_says_who_signed_and_how_to_verify(browser, settings):
    settings.FACTORY_NAME = "Fabriek Groningen"
    model, _lead, member = a_trained_model()
    reader = browser(member)

    before = reader.get(model.get_absolute_url()).content.decode()
    signing_keep.tick()
    after = reader.get(model.get_absolute_url()).content.decode()

    assert "The factory has not signed these files yet" in before
    assert "Fabriek Groningen signed these files on" in after
    fingerprint = SigningKey.objects.get().fingerprint
    key = f"http://localhost:8000/.well-known/model-signing/{fingerprint}.pem"
    command = (
        f"curl -fsS {key} -o fab-key.pem &amp;&amp; model_signing verify key {model.code} "
        f"--signature {model.code}/model.sig --public_key fab-key.pem"
    )
    assert command in after


def test_what_is_not_signed_yet_has_no_signature(program):
    model, _lead, member = a_trained_model()

    answer = program(member).get(f"/api/models/{model.code}/signature")

    assert answer.status_code == 404
    assert program(member).get(f"/api/models/{model.code}/files").json()["is_signed"] is False
