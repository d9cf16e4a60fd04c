"""One answer to what was asked: the count of all rows, a few rows as they are read, or both."""

import time
from collections.abc import Iterator
from itertools import islice

from fabriek.quality.worker.job import Job, Json, Trouble
from fabriek.runs.worker import settings
from fabriek.runs.worker.asked import OF_MODEL, TOKENIZER
from fabriek.runs.worker.count import Count
from fabriek.runs.worker.pieces import Pieces
from fabriek.runs.worker.reading import Found, Place, Reading
from fabriek.runs.worker.shown import laid, shown
from fabriek.runs.worker.signs import of_template
from fabriek.runs.worker.split import split
from fabriek.runs.worker.template import Chat
from fabriek_recipes.chat import Part

BATCH = 256

Texts = tuple[Part, ...]


def seen(job: Job) -> Json:
    """Do what `job.asked` says.

    `count`: count all rows. `picks`: which rows to show, `[file, line]` each; with `count`
    those that it finds telling. `every`: each answer is learned from, not the last one only.
    `hide`: whose words are not shown. `of_pairs`: each row has a better and a worse answer.
    """
    files = {
        file.path.removeprefix(OF_MODEL): file.at
        for file in job.files
        if file.path.startswith(OF_MODEL)
    }
    if TOKENIZER not in files:
        raise Trouble("no_tokenizer")
    chat, pieces = Chat(files), Pieces(files[TOKENIZER])
    if not chat.end:
        raise Trouble("no_end")
    reading = Reading.of(job)
    told: Json = {"template": "plain" if chat.is_plain else "own"}
    picks = [(Place(*one[:2]), str(one[2])) for one in job.asked.get("picks", [])]
    if job.asked["count"]:
        counted = _counted(job, reading, chat, pieces)
        told["count"] = counted.as_json() | settings.told(files)
        told["count"] |= {"highest": pieces.highest}
        picks = counted.picks()
    told["sample"] = [
        _shown(one, chat, pieces, job.asked, why=dict(picks)[one.place])
        for one in _picked(reading, {place for place, _why in picks})
    ]
    return told


def _shown(found: Found, chat: Chat, pieces: Pieces, asked: Json, *, why: str) -> Json:
    every, hide = bool(asked["every"]), frozenset(asked.get("hide", ()))
    both = [
        laid(
            one.row,
            split(one, chat, every=every),
            pieces,
            hide=hide,
            signs=of_template(one.row, chat) if hide else (),
        )
        for one in found.answers
    ]
    return shown(found, both, why=why)


def _counted(job: Job, reading: Reading, chat: Chat, pieces: Pieces) -> Count:
    count = Count(every=reading.every)
    ends_at = time.monotonic() + float(job.asked["count_s"])
    rows = reading.rows()
    while some := list(islice(rows, BATCH)):
        found = [one for one in some if isinstance(one, Found)]
        for one in some:
            if not isinstance(one, Found):
                count.note_problem(*one)
        every = bool(job.asked["every"])
        texts = [split(each, chat, every=every) for one in found for each in one.answers]
        sizes = iter(_sizes(texts, pieces))
        for one in found:
            own = [next(sizes) for _answer in one.answers]
            tokens, learned = zip(*own, strict=True)
            count.note(one, tokens=max(tokens), read=sum(tokens), learned=sum(learned))
        if time.monotonic() > ends_at:
            count.is_cut_short = next(rows, None) is not None
            break
    return count


def _sizes(texts: list[Texts], pieces: Pieces) -> list[tuple[int, int]]:
    """Count as training does: the question as a whole, then the last answer."""
    asked: list[str] = []
    for row in texts:
        earlier = [part.text for part in row[:-1] if part.learned]
        asked += ["".join(part.text for part in row[:-1]), row[-1].text, *earlier]
    counts = iter(pieces.counts(asked))
    sizes = []
    for row in texts:
        question, last = next(counts), next(counts)
        earlier_learned = sum(next(counts) for part in row[:-1] if part.learned)
        sizes.append((question + last, last + earlier_learned))
    return sizes


def _picked(reading: Reading, places: set[Place]) -> Iterator[Found]:
    left = set(places)
    for one in reading.rows():
        if not left:
            return
        if isinstance(one, Found) and one.place in left:
            left.discard(one.place)
            yield one
