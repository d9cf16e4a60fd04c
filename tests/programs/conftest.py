"""A case with GPU-hours, in a factory that runs people's own code."""

import io
import tarfile
import zipfile

import pytest
from django.core.cache import cache

from fabriek.engines.fake import Fake
from fabriek.programs import actions
from tests.runs.world import a_world

TRAIN = "print('learning')\n"


@pytest.fixture(autouse=True)
def forgets():
    cache.clear()


@pytest.fixture
def engine():
    return Fake()


@pytest.fixture
def offered(settings):
    settings.OWN_CODE = True
    return settings


@pytest.fixture
def world(db, offered):
    return a_world(gpu_seconds=360_000)


def a_tar(files, *, mode="w:gz"):
    """Pack texts or bytes by their names; a TarInfo in place of a text stands as it is."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            raw = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(raw)
            archive.addfile(entry, io.BytesIO(raw))
    packed.seek(0)
    return packed


def a_zip(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    packed.seek(0)
    return packed


def sent(world, files=None, *, by=None, **changes):
    """Send these files as the code of the world's case."""
    given = {"name": "trial", "is_plain": True} | changes
    archive = given.pop("archive", None) or a_tar(files or {"train.py": TRAIN})
    sending = actions.Sending(case=world.case, archive=archive, **given)
    return actions.send(sending, by=by or world.person)


def wished(world, revision, **changes):
    knobs = {"command": "python train.py"} | changes.pop("knobs", {})
    inputs = {"code": revision} | changes.pop("inputs", {})
    return world.wish(recipe="script", knobs=knobs, inputs=inputs, **changes)
