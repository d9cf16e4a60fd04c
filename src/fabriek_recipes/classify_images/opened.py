"""Opens pictures: broken ones are named, and those that would fill memory are refused."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fabriek_recipes.classify_images.pictures import Picture
from fabriek_recipes.rows import PROBLEMS_MAX
from fabriek_recipes.words import Failed, Sentence, _

# A photo of a good camera; four times as much would take 600 MB of memory for one picture.
POINTS_MAX = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
THUMBNAIL = 8


def open_rgb(path: Path) -> Image.Image:
    """Open a picture as it is meant to be seen: turned as the camera said, in three colours.

    Raises:
        ValueError: it has too many points.
        OSError, SyntaxError: it is broken.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of metadata that nobody needs
        with Image.open(path, formats=FORMATS) as found:
            if found.width * found.height > POINTS_MAX:
                raise ValueError(f"{found.width} x {found.height}")
            found.load()
            return ImageOps.exif_transpose(found).convert("RGB")


def problem(one: Picture) -> Sentence | None:
    """Say why a picture cannot be used, if so."""
    try:
        open_rgb(one.path)
    except (ValueError, Image.DecompressionBombError):
        text = _("%(name)s has more than %(most)s million points; make it smaller.")
        return Sentence(text, name=one.name[-200:], most=POINTS_MAX // 10**6)
    except (OSError, SyntaxError, EOFError, MemoryError):
        text = _("%(name)s is broken or no picture; mend it or take it away.")
        return Sentence(text, name=one.name[-200:])
    return None


def refuse_broken(shown: Sequence[Picture], problems: Sequence[Sentence]) -> None:
    """Stop at what was found broken, naming the first. Raises: Failed."""
    if not problems:
        return
    first = problems[0]
    if len(problems) == 1:
        raise Failed("bad_picture", first.msgid, **dict(first.values))
    text = _("%(first)s And %(count)s more of the %(all)s pictures cannot be used.")
    raise Failed(
        "bad_picture",
        text,
        first=str(first),
        count=f"{len(problems) - 1}+" if len(problems) >= PROBLEMS_MAX else len(problems) - 1,
        all=len(shown),
    )


def digest(path: Path) -> str:
    """Name a picture by its bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def colours(shown: Sequence[Picture]) -> NDArray[np.float64]:
    """Give the colours of 8 by 8 places of each picture, (N, 192): all the yardstick sees."""
    made = []
    for one in shown:
        small = open_rgb(one.path).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        made.append(np.asarray(small, dtype=np.float64).ravel() / 255)
    return np.stack(made)
