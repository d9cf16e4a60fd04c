"""The routes of runs: begun, written to, read, searched, put away."""

import json
import time
from collections.abc import Iterable, Iterator
from typing import Any

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase

from fabriek.people.tokens import Remembered
from fabriek.tracking import (
    actions,
    answers,
    batches,
    doors,
    experiment_routes,
    filters,
    histories,
    queries,
    refusals,
    search,
    shapes,
)
from fabriek.tracking.answers import Words, number, text
from fabriek.tracking.batches import Batch
from fabriek.tracking.doors import Caller, Found
from fabriek.tracking.models import Tracked
from fabriek.tracking.packing import Point

NOTHING: Words = {}
TOKEN_MAX = 10**9
HISTORY_MAX = 25_000
EXPERIMENTS_MAX = 100
JOINED = 2_000  # so many points go out in one piece


def create(who: Caller, words: Words) -> Words:
    experiment = experiment_routes.find(who, text(words, "experiment_id"))
    made = actions.start(
        experiment,
        by=who,
        name=batches.read_text("run_name", words, most=batches.KEY_MAX),
        tags=batches.read(_only(words, "tags")).tags,
        started_ms=batches.read_moment("start_time", words, otherwise=_now()),
    )
    return {"run": search.one(Found(tracked=made))}


def get(who: Caller, words: Words) -> Words:
    return {"run": search.one(_with_words(doors.readable(who, _number(words))))}


def update(who: Caller, words: Words) -> Words:
    found = doors.writable(who, _number(words))
    ended = words.get("end_time")
    actions.update(
        found,
        status=batches.read_text("status", words, most=batches.KEY_MAX),
        ended_ms=None if ended is None else batches.read_moment("end_time", words, otherwise=0),
        name=batches.read_text("run_name", words, most=batches.KEY_MAX),
    )
    run = search.one(_with_words(doors.readable(who, found.number)))
    return {"run_info": run["info"]}


def log_batch(who: Caller, words: Words) -> Words:
    return _logged(who, words, batches.read(words))


def log_metric(who: Caller, words: Words) -> Words:
    return _logged(who, words, _one_figure(words))


def log_batch_if_still(who: Remembered, words: Words) -> bool:
    return _logged_if_still(who, words, batches.read(words))


def log_metric_if_still(who: Remembered, words: Words) -> bool:
    return _logged_if_still(who, words, _one_figure(words))


def log_parameter(who: Caller, words: Words) -> Words:
    return _logged(who, words, Batch(params=batches.read_params([words])))


def set_tag(who: Caller, words: Words) -> Words:
    return _logged(who, words, Batch(tags=batches.read_tags([words])))


def delete_tag(who: Caller, words: Words) -> Words:
    actions.delete_tag(doors.writable(who, _number(words)), batches.read_key(words.get("key")))
    return NOTHING


def tolerated(who: Caller, words: Words) -> Words:
    """Take what the factory does not keep, so that a program goes on: the run is asked."""
    doors.writable(who, _number(words))
    return NOTHING


def no_models(_who: Caller, _words: Words) -> Words:
    return {"models": []}


def delete(who: Caller, words: Words) -> Words:
    who.require_write()
    who.require_person()
    actions.delete(doors.readable(who, _number(words)), by=who)
    return NOTHING


def restore(who: Caller, words: Words) -> Words:
    who.require_write()
    who.require_person()
    found = doors.readable(who, _number(words))
    if found.tracked and not found.run:
        actions.restore(found.tracked, by=who)
    return NOTHING


def search_runs(who: Caller, words: Words) -> Words:
    first = number(words, "page_token", otherwise=0, most=TOKEN_MAX)
    wish = search.Wish(
        conditions=filters.conditions(refusals.storable(str(words.get("filter") or ""))),
        orders=filters.orders(answers.listed(words, "order_by")),
        view=str(words.get("run_view_type") or search.ACTIVE),
        first=first,
        most=number(words, "max_results", otherwise=search.SHOWN_MAX, most=search.SHOWN_MAX),
    )
    runs, more = search.search(_places(who, answers.listed(words, "experiment_ids")), wish)
    token = {"next_page_token": str(first + len(runs))} if more and runs else {}
    return {"runs": runs} | token


def history(who: Caller, words: Words) -> "Words | HttpResponseBase":
    """Give all of a figure, in one stream; or a page of it, when `max_results` is asked."""
    found, name = doors.readable(who, _number(words)), text(words, "metric_key")
    if "max_results" not in words:
        parts = _streamed(name, _history(found, name))
        return StreamingHttpResponse(parts, content_type="application/json")
    most = number(words, "max_results", otherwise=HISTORY_MAX, most=HISTORY_MAX)
    first = number(words, "page_token", otherwise=0, most=TOKEN_MAX)
    points = list(_history(found, name, first=first, most=most))
    more = {"next_page_token": str(first + most)} if len(points) == most and most else {}
    return {"metrics": [shapes.metric(name, point) for point in points]} | more


def artifacts(who: Caller, words: Words) -> Words:
    found = doors.readable(who, _number(words))
    path = refusals.storable(str(words.get("path") or "")).strip("/")
    rows = queries.artifacts_of(found.tracked, path) if found.tracked else ()
    paths = ((one.path, one.size_bytes) for one in rows)
    below = queries.files_below(paths, path)
    root = f"mlflow-artifacts:/{found.number}/artifacts"
    return {"root_uri": root, "files": shapes.infos(below.items(), path)}


def _logged(who: Caller, words: Words, batch: Batch) -> Words:
    actions.log(_number(words), batch, by=who)
    return NOTHING


def _logged_if_still(who: Remembered, words: Words, batch: Batch) -> bool:
    return actions.log_if_still(_number(words), batch, by=who)


def _one_figure(words: Words) -> Batch:
    return Batch(metrics=batches.read_metrics([{"timestamp": _now(), **words}]))


def _number(words: Words) -> str:
    return text(words, "run_id" if words.get("run_id") else "run_uuid")


def _only(words: Words, name: str) -> dict[str, Any]:
    return {name: words.get(name)}


def _now() -> int:
    return int(time.time() * 1000)


def _with_words(found: Found) -> Found:
    """Bring the parameters and tags along, which a call that writes does not need."""
    if found.tracked is None:
        return found
    whole = Tracked.objects.get(pk=found.tracked.pk)
    return Found(tracked=whole, tally=found.tally, run=found.run)


def _places(who: Caller, numbers: list[str]) -> search.Places:
    """Find the experiments that were named; those of others are as if they were not there."""
    numbers = numbers[:EXPERIMENTS_MAX]
    keys = [int(one) for one in numbers if one.isdecimal() and len(one) < 18]  # noqa: PLR2004
    rows = experiment_routes.experiments(who).filter(pk__in=keys)
    codes = [one.removeprefix(shapes.RUNS_OF) for one in numbers if not one.isdecimal()]
    cases = list(experiment_routes.cases(who).filter(code__in=codes)) if codes else []
    own = [who.run.pk] if who.run else []
    return search.Places(
        experiments=list(rows.values_list("pk", flat=True)),
        cases=cases,
        runs=own,
        seen_by=None if who.run else who.person,
    )


def _history(
    found: Found, name: str, *, first: int = 0, most: int | None = None
) -> Iterable[Point]:
    """Give what the job told itself where it did, else what stands in the events of the run."""
    if found.tracked and (not found.run or _is_told(found.tracked, name)):
        return histories.history(found.tracked, name, first=first, most=most)
    if found.run:
        return queries.history_of_the_factory(found.run, name, first=first, most=most)
    return ()


def _is_told(tracked: Tracked, name: str) -> bool:
    queries.settle_what_waits(tracked)
    return tracked.series.filter(name=name).exists()


def _streamed(name: str, points: Iterable[Point]) -> Iterator[str]:
    """Write the JSON as the points come: there may be millions."""
    before, held = '{"metrics":[', list[str]()
    for point in points:
        held.append(json.dumps(shapes.metric(name, point), separators=(",", ":")))
        if len(held) == JOINED:
            yield before + ",".join(held)
            before, held = ",", []
    yield (before if held or before != "," else "") + ",".join(held) + "]}"
