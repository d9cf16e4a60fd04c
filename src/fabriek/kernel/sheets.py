"""Tables for spreadsheets and programs: CSV and JSON lines, written while they are read."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from django.core.serializers.json import DjangoJSONEncoder
from django.http import StreamingHttpResponse

ROWS_AT_ONCE = 500
# A cell that starts with one of these is a formula to a spreadsheet, whoever typed it.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")


def guarded(cell: object) -> object:
    """Put a quote before text that a spreadsheet would run; numbers stay numbers."""
    if isinstance(cell, str) and cell.startswith(FORMULA_SIGNS):
        return f"'{cell}"
    return cell


def csv_file(
    name: str, header: Sequence[str], rows: Iterable[Sequence[object]]
) -> StreamingHttpResponse:
    return _attached(f"{name}.csv", "text/csv; charset=utf-8", _csv(header, rows))


def json_lines_file(name: str, rows: Iterable[Mapping[str, object]]) -> StreamingHttpResponse:
    return _attached(f"{name}.jsonl", "application/jsonl", _json_lines(rows))


def _attached(name: str, kind: str, pieces: Iterator[str]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(pieces, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    # The sign at the start tells Excel that this is UTF-8.
    yield "\N{ZERO WIDTH NO-BREAK SPACE}" + _csv_text([header])
    waiting = iter(rows)
    while some := list(islice(waiting, ROWS_AT_ONCE)):
        yield _csv_text([[guarded(cell) for cell in row] for row in some])


def _csv_text(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _json_lines(rows: Iterable[Mapping[str, object]]) -> Iterator[str]:
    encode = DjangoJSONEncoder(ensure_ascii=False).encode
    waiting = iter(rows)
    while some := list(islice(waiting, ROWS_AT_ONCE)):
        yield "".join(f"{encode(row)}\n" for row in some)
