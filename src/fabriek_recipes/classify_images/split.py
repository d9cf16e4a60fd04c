"""Which pictures are learned from and which are scored on, each opened once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fabriek_recipes.classify_images import opened, pictures
from fabriek_recipes.classify_images.knobs import Knobs
from fabriek_recipes.classify_images.pictures import Picture
from fabriek_recipes.rows import PROBLEMS_MAX
from fabriek_recipes.training.held_out import Halves, apart, halved
from fabriek_recipes.training.process import Job
from fabriek_recipes.words import Failed, Sentence, _, counted

HELD_OUT_MAX = 20_000
TOLD_EVERY = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Pictures to learn from and to score on, and the labels in the order of their numbers."""

    train: tuple[Picture, ...]
    apart: Halves[Picture]
    labels: tuple[str, ...]

    @property
    def held_out(self) -> Sequence[Picture]:
        """Those to score on."""
        return self.apart.scored

    def numbers(self, shown: Sequence[Picture]) -> list[int]:
        """Give the labels of pictures as numbers."""
        places = {label: place for place, label in enumerate(self.labels)}
        return [places[one.label] for one in shown]


def divided(job: Job[Knobs]) -> Pictures:
    """Find all pictures and keep some apart. Raises: Failed, with what stands in the way."""
    found, problems = pictures.find(job.input("dataset"))
    for one in problems:
        raise Failed("bad_dataset", one.msgid, **dict(one.values))
    if job.is_dry:
        return _tried(job, found)
    if by := pictures.divided_by(job.input("dataset")):
        job.events.warning("split_column", by.sentence)
    digests = job.group.once(lambda: _looked_at(job, found))
    kept_apart = {one.name for one in found if one.is_apart}
    if not kept_apart:
        chosen = apart(digests, percent=job.knobs.held_out_percent, most=HELD_OUT_MAX)
        kept_apart = {
            one.name for one, name in zip(found, digests, strict=True) if name in chosen
        }
    learn = [one for one in found if one.name not in kept_apart]
    labels = sorted({one.label for one in learn})
    scored = _scored(job, found, digests, kept_apart)
    if len(labels) < pictures.LABELS_MIN or not scored:
        raise Failed(
            "no_held_out",
            _("There are too few pictures to keep some apart for scoring; add pictures."),
        )
    halves = halved(
        [one for one, _name in scored],
        [name for _one, name in scored],
        choosing=job.knobs.stop_after_looks > 0,
    )
    return Pictures(train=tuple(learn), apart=halves, labels=tuple(labels))


def _tried(job: Job[Knobs], found: Sequence[Picture]) -> Pictures:
    """Take as many as the steps of a dry run need: to open all could take far longer."""
    wanted = job.manifest.limits.steps_max * job.knobs.pictures_per_step
    some = found[:: max(1, len(found) // wanted)]
    _looked_at(job, some)
    labels = sorted({one.label for one in found})
    none: Halves[Picture] = halved([], [], choosing=False)
    return Pictures(train=tuple(some), apart=none, labels=tuple(labels))


def _scored(
    job: Job[Knobs], found: Sequence[Picture], digests: Sequence[str], kept_apart: set[str]
) -> list[tuple[Picture, str]]:
    """Give the pictures to score on, with the names of their bytes.

    Those whose label is learned, and that are not seen.
    """
    pairs = list(zip(found, digests, strict=True))
    labels = {one.label for one in found if one.name not in kept_apart}
    seen = {name for one, name in pairs if one.name not in kept_apart}
    apart_ = [(one, name) for one, name in pairs if one.name in kept_apart]
    known = [(one, name) for one, name in apart_ if one.label in labels]
    if left := len(apart_) - len(known):
        said = counted(
            _("%(count)s row kept apart has a label that no other row has: not scored."),
            _("%(count)s rows kept apart have a label that no other row has: not scored."),
            count=left,
        )
        job.events.warning("rows_left_out", said)
    scored = [(one, name) for one, name in known if name not in seen]
    if left := len(known) - len(scored):
        said = counted(
            _(
                "%(count)s of %(rows)s pictures kept apart is also among those learned from: "
                "not scored."
            ),
            _(
                "%(count)s of %(rows)s pictures kept apart are also among those learned from: "
                "not scored."
            ),
            count=left,
            rows=len(known),
        )
        job.events.warning("same_rows", said)
    return scored


def _looked_at(job: Job[Knobs], found: Sequence[Picture]) -> list[str]:
    """Open each picture once, and name it by its bytes. Raises: Failed, naming broken ones."""
    problems: list[Sentence] = []
    digests = []
    for place, one in enumerate(found, 1):
        job.stop.check()
        if (bad := opened.problem(one)) is not None:
            problems.append(bad)
        if len(problems) >= PROBLEMS_MAX:
            break
        digests.append(opened.digest(one.path))
        if place % TOLD_EVERY == 0 or place == len(found):
            job.events.progress(place, len(found), "pictures")
    opened.refuse_broken(found, problems)
    return digests
