"""Adds rows up: how long they are, which are the same, which leak into what is kept apart."""

import heapq
from collections import Counter

from fabriek.quality.worker.job import Json
from fabriek.runs.worker.reading import Found, Place
from fabriek_recipes.leaks import name_of
from fabriek_recipes.rows import RowProblem

PLACES_MAX = 20
LONGEST_MAX = 200
FIRST, BY_LOT = 3, 3

Places = list[tuple[Place, Place]]


class Count:
    def __init__(self, *, every: int) -> None:
        self.every = every
        self.is_cut_short = False
        self._lengths: dict[bool, Counter[int]] = {False: Counter(), True: Counter()}
        self._tokens = {False: 0, True: 0}
        self._learned = 0
        self._longest: list[tuple[int, int, int]] = []  # tokens, file, line: the least on top
        self._problems: list[tuple[Place, RowProblem]] = []
        self._problem_count = 0
        self._rows: dict[bytes, Place] = {}
        self._questions: dict[bytes, Place] = {}
        self._doubles = Pairs()
        self._leaks = Pairs()
        self._asked_again = Pairs()
        self._first: list[Place] = []
        self._by_lot: list[tuple[bytes, int, int]] = []  # hash, file, line

    def note(self, found: Found, *, tokens: int, read: int, learned: int) -> None:
        """Add a row of `tokens`; of a pair that is the longer text, and both are `read`."""
        place = found.place
        self._lengths[found.is_apart][tokens] += 1
        self._tokens[found.is_apart] += read
        self._learned += 0 if found.is_apart else learned
        self._note_longest(tokens, place)
        self._note_same(found)
        if len(self._first) < FIRST:
            self._first.append(place)

    def note_problem(self, place: Place, problem: RowProblem) -> None:
        self._problem_count += 1
        if len(self._problems) < PLACES_MAX:
            self._problems.append((place, problem))

    def picks(self) -> list[tuple[Place, str]]:
        """Choose what to show: the first rows, the longest one, and some by lot."""
        longest = max(self._longest, default=None)
        by_lot = [Place(at, line) for _hash, at, line in sorted(self._by_lot)]
        chosen: dict[Place, str] = dict.fromkeys(self._first, "first")
        if longest:
            chosen.setdefault(Place(*longest[1:]), "longest")
        for place in by_lot:
            chosen.setdefault(place, "lot")
        return list(chosen.items())

    def as_json(self) -> Json:
        return {
            "rows": sum(sum(some.values()) for some in self._lengths.values()),
            "every": self.every,
            "is_cut_short": self.is_cut_short,
            "lengths": sorted(self._lengths[False].items()),
            "lengths_apart": sorted(self._lengths[True].items()),
            "tokens": self._tokens[False],
            "tokens_apart": self._tokens[True],
            "learned": self._learned,
            "longest": sorted(self._longest, reverse=True),
            "doubles": self._doubles.as_json(),
            "leaks": self._leaks.as_json(),
            "asked_again": self._asked_again.as_json(),
            "problem_count": self._problem_count,
            "problems": [
                [*place.as_json(), one.sentence.msgid, dict(one.sentence.values)]
                for place, one in self._problems
            ],
            "picks": [[*place.as_json(), why] for place, why in self.picks()],
        }

    def _note_longest(self, tokens: int, place: Place) -> None:
        one = (tokens, place.file, place.line)
        if len(self._longest) < LONGEST_MAX:
            heapq.heappush(self._longest, one)
        elif one > self._longest[0]:
            heapq.heapreplace(self._longest, one)

    def _note_same(self, found: Found) -> None:
        """Those to learn from come first, so that what is kept apart finds them all."""
        messages = [message.told() for message in found.row.messages]
        worse = [found.rejected.messages[-1].told()] if found.rejected else []
        whole = name_of([*messages, found.row.tools, *worse])
        question = name_of([*messages[:-1], found.row.tools])
        same = self._rows.get(whole)
        if found.is_apart:
            asked = self._questions.get(question)
            if same:
                self._leaks.note(found.place, same)
            elif asked:
                self._asked_again.note(found.place, asked)
        elif same:
            self._doubles.note(found.place, same)
        else:
            self._rows[whole] = found.place
            self._questions.setdefault(question, found.place)
            self._note_lot(whole, found.place)

    def _note_lot(self, name: bytes, place: Place) -> None:
        self._by_lot.append((name, place.file, place.line))
        if len(self._by_lot) > BY_LOT:
            self._by_lot.remove(max(self._by_lot))


class Pairs:
    """How often two rows are the same, and where the first of these are."""

    def __init__(self) -> None:
        self.count = 0
        self.places: Places = []

    def note(self, place: Place, same_as: Place) -> None:
        self.count += 1
        if len(self.places) < PLACES_MAX:
            self.places.append((place, same_as))

    def as_json(self) -> Json:
        return {
            "count": self.count,
            "places": [[*place.as_json(), *same.as_json()] for place, same in self.places],
        }
