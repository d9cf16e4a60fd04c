"""The API of the store: the same as its page, for programs that watch over it."""

from datetime import datetime

from django.utils import timezone
from ninja import Router, Schema

from fabriek.machine import rules, store_show
from fabriek.machine.store_show import Line
from fabriek.people.http import SignedIn

router = Router(tags=["store"])


class HitOut(Schema):
    """A dataset or model that names damaged bytes: in how many revisions, and the newest."""

    code: str
    kind: str
    revisions: int
    newest: int


class DamageOut(Schema):
    """`what`: gone, short, changed or unreadable. `how` is empty until it is mended."""

    sha256: str
    size_bytes: int
    what: str
    place: str
    quarantine: str
    found_at: datetime
    mended_at: datetime | None
    how: str
    hits: list[HitOut]
    more_hits: int

    @classmethod
    def of(cls, line: Line) -> "DamageOut":
        damage = line.damage
        return cls(
            sha256=damage.sha256,
            size_bytes=damage.size_bytes,
            what=damage.what,
            place=damage.place,
            quarantine=damage.aside,
            found_at=damage.found_at,
            mended_at=damage.repaired_at,
            how=damage.how,
            hits=[HitOut.from_orm(hit) for hit in line.hits],
            more_hits=line.more_hits,
        )


class ScrubOut(Schema):
    """How far reading everything again is; `last_full_at` is when a whole round last ended."""

    says: str
    percent: int
    is_reading: bool
    started_at: datetime | None
    ended_at: datetime | None
    last_full_at: datetime | None
    files: int
    size_bytes: int
    left_files: int
    left_bytes: int
    damaged_count: int
    damaged: list[DamageOut]
    mended: list[DamageOut]


@router.get("/scrub", response=ScrubOut)
def scrub(request: SignedIn) -> ScrubOut:
    """Tell staff how whole the store is: the last full round, progress and the repair list."""
    rules.require_staff_of_store(request.user)
    told = store_show.health(timezone.now())
    now = told.progress
    return ScrubOut(
        says=store_show.summary(told),
        percent=now.percent,
        is_reading=now.is_reading,
        started_at=now.started_at,
        ended_at=now.ended_at,
        last_full_at=now.last_full_at,
        files=now.files,
        size_bytes=now.size_bytes,
        left_files=now.left_files,
        left_bytes=now.left_bytes,
        damaged_count=told.damaged_count,
        damaged=[DamageOut.of(line) for line in told.damaged],
        mended=[DamageOut.of(line) for line in told.mended],
    )
