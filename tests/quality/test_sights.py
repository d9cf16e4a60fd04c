"""Pictures and sounds on the page of a look: which, as what, and to whom."""

import struct
import wave
import zlib
from io import BytesIO

import pytest

from fabriek.kernel.models import Entry
from fabriek.quality import sights
from fabriek.store.models import Blob
from tests.factories import a_person, staff
from tests.quality.conftest import looked_at, push

pytestmark = pytest.mark.django_db(transaction=True)


def png(width=40, height=40, red=0):
    def part(kind, content):
        checked = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checked)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    drawn = zlib.compress((b"\0" + bytes([red, 90, 90]) * width) * height)
    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", drawn) + part(b"IEND", b"")
    )


def wav(frames=800):
    made = BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(bytes(frames))
    return made.getvalue()


SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
FILES = {
    "cats/1.png": png(),
    "a tone.wav": wav(),
    "drawn.svg": SVG,
    "lies.png": SVG,
    "page.gif": b"<html>",
    "large.png": png(1, 1).replace(
        struct.pack(">II", 1, 1), struct.pack(">II", 60_000, 60_000)
    ),
    "rows.csv": b"a,b\n1,2\n",
}


def sight(browser, person, dataset, path, **asked):
    return browser(person).get(f"/data/{dataset.code}/look/1/files/{path}", **asked)


@pytest.mark.parametrize(
    ("path", "content_type"), [("cats/1.png", "image/png"), ("a tone.wav", "audio/wav")]
)
def test_a_picture_and_a_sound_are_given_as_what_they_are_and_written_down(
    browser, lead, dataset, path, content_type
):
    push(dataset, FILES)

    answer = sight(browser, lead, dataset, path)

    assert (answer.status_code, answer.getvalue()) == (200, FILES[path])
    told = answer.headers
    assert told["Content-Type"] == content_type
    assert told["X-Content-Type-Options"] == "nosniff"
    assert told["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert told["Cache-Control"] == "private, no-store"
    assert told["Cross-Origin-Resource-Policy"] == "same-origin"
    assert told["Content-Disposition"].startswith("inline")
    taken = Entry.objects.get(verb="datasets.download")
    assert (taken.by, taken.details["path"]) == (lead, path)


def test_nothing_else_is_drawn(browser, lead, dataset):
    push(dataset, FILES)

    for path in {*FILES, "not-there.png"} - {"cats/1.png", "a tone.wav"}:
        assert sight(browser, lead, dataset, path).status_code == 404, path
    assert not Entry.objects.filter(verb="datasets.download").exists()


@pytest.mark.parametrize("who", [a_person, staff])
def test_a_stranger_and_staff_cannot_tell_that_it_is_there(browser, dataset, who):
    push(dataset, FILES)

    assert sight(browser, who(), dataset, "cats/1.png").status_code == 404


def test_who_is_not_signed_in_gets_no_picture(client, dataset):
    push(dataset, FILES)

    at = f"/data/{dataset.code}/look/1/files/cats/1.png"

    answer = client.get(at)

    assert (answer.status_code, answer["Location"].partition("?")[2]) == (302, f"next={at}")


def test_a_player_gets_the_part_it_asks(browser, lead, dataset):
    push(dataset, FILES)

    for asked, status, first, last in (
        ("bytes=0-1", 206, 0, 1),
        ("bytes=40-", 206, 40, 843),
        ("bytes=40-99999", 206, 40, 843),
        ("bytes=1-2,5-6", 200, 0, 843),
    ):
        answer = sight(browser, lead, dataset, "a tone.wav", headers={"Range": asked})

        assert answer.status_code == status
        assert answer.getvalue() == FILES["a tone.wav"][first : last + 1]
        told = f"bytes {first}-{last}/844" if status == 206 else None
        assert answer.get("Content-Range") == told

    answer = sight(browser, lead, dataset, "a tone.wav", headers={"Range": "bytes=844-"})
    assert (answer.status_code, answer["Content-Range"]) == (416, "bytes */844")


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (b"GIF89a\x05\0\x05\0", "image/gif"),
        (b"\xff\xd8\xff\xc0\0\x11\x08\0\x05\0\x05\x03\x01", "image/jpeg"),
        (b"RIFF\0\0\0\0WEBPVP8X" + bytes(20), "image/webp"),
        (b"fLaC\0", "audio/flac"),
        (b"OggS\0", "audio/ogg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90", "audio/mpeg"),
        (b"BM" + bytes(16) + b"\x05\0\0\0\x05\0\0\0", ""),
        (b"<?xml", ""),
        (b"", ""),
    ],
)
def test_the_type_is_what_the_first_bytes_say(head, found, monkeypatch):
    class Kept:
        def open(self, _blob):
            return BytesIO(head)

    monkeypatch.setattr(sights, "the_store", Kept)

    assert sights.type_of(Blob(size_bytes=len(head))) == found


def test_a_picture_that_is_too_large_is_not_read(monkeypatch):
    monkeypatch.setattr(sights, "the_store", lambda: pytest.fail("read"))

    assert sights.type_of(Blob(size_bytes=sights.SOUND_BYTES + 1)) == ""


def test_the_page_shows_some_of_each_taken_from_the_whole_list(browser, lead, dataset):
    many = {f"{at:02}.png": png(red=at) for at in range(24)} | {
        f"{at}.wav": wav(800 + at) for at in range(7)
    }
    looked_at(dataset, many | {"lies.png": SVG})

    shown = browser(lead).get(f"/data/{dataset.code}/look/").content.decode()

    at = f"/data/{dataset.code}/look/1/files"
    assert [name for name in sorted(many) if f'src="{at}/{name}"' in shown] == sorted(
        [f"{at:02}.png" for at in range(0, 24, 2)] + [f"{at}.wav" for at in range(6)]
    )
    assert (
        f'<img src="{at}/00.png" alt="00.png" width="120" height="120" loading="lazy"' in shown
    )
    assert '<audio controls preload="none"' in shown
    assert "lies.png</figcaption>" not in shown
    assert "These are 12 of 24" in shown
    assert "<details open>" in shown

    dataset.has_personal_data = True
    dataset.save()

    shown = browser(lead).get(f"/data/{dataset.code}/look/").content.decode()
    assert "<details open><summary>Show 12 pictures" not in shown
    assert "<details><summary>Show 12 pictures" in shown
