"""Measure the corpus: its size, its balance, and what a bag of words makes of it."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from statistics import median

from messages import Row

NEAR_DUPLICATE = 0.45
Label = Callable[[Row], str]


def words(text: str) -> list[str]:
    return re.findall(r"[a-zà-ÿ0-9']+", text.lower())


def report(training: list[Row], held_out: list[Row], text: str) -> str:
    known = {word for row in training for word in words(row.prompt)}
    lengths = sorted(len(words(row.prompt)) for row in training)
    unseen = [word for row in held_out for word in words(row.prompt)]
    lines = [
        f"training rows {len(training)}, held-out rows {len(held_out)}",
        f"words per message: {lengths[0]} to {lengths[-1]}, median {median(lengths):.0f}",
        f"distinct words in training {len(known)}, running held-out words never seen there "
        f"{sum(word not in known for word in unseen) / len(unseen):.1%}",
        f"plain text {len(text.encode())} bytes, {len(words(text))} words, "
        f"{len(set(words(text)))} distinct",
        "the held-out message nearest to a training one shares "
        f"{nearest(training, held_out)[0]:.0%} of its three-word runs",
    ]
    return "\n".join([*lines, *baselines(training, held_out)])


def baselines(training: list[Row], held_out: list[Row]) -> list[str]:
    guessed = {name: naive_bayes(training, held_out, label) for name, label in LABELS.items()}
    lines = [
        f"held-out {name}: majority {majority(training, held_out, label):.1%}, "
        f"naive Bayes {share(guessed[name]):.1%}"
        for name, label in LABELS.items()
    ]
    pairs = zip(guessed["department"], guessed["urgency"], strict=True)
    both = share([department and urgency for department, urgency in pairs])
    return [*lines, f"held-out both, by two naive Bayes side by side {both:.1%}"]


def share(right: list[bool]) -> float:
    return sum(right) / len(right)


LABELS: dict[str, Label] = {
    "department": lambda row: row.department,
    "urgency": lambda row: row.urgency,
    "both at once": lambda row: row.completion,
}


def complaints(training: list[Row], held_out: list[Row]) -> list[str]:
    found = []
    if len({row.prompt for row in training + held_out}) != len(training) + len(held_out):
        found.append("a message occurs twice")
    if {row.situation for row in training} & {row.situation for row in held_out}:
        found.append("a situation is on both sides")
    alike, pair = nearest(training, held_out)
    if alike > NEAR_DUPLICATE:
        found.append(f"too alike: {pair}")
    return found


def majority(training: list[Row], held_out: list[Row], label: Label) -> float:
    most = Counter(map(label, training)).most_common(1)[0][0]
    return sum(label(row) == most for row in held_out) / len(held_out)


def naive_bayes(training: list[Row], held_out: list[Row], label: Label) -> list[bool]:
    """Say of each held-out row whether naive Bayes on words, smoothed by a half, is right."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in training:
        counts[label(row)].update(words(row.prompt))
    vocabulary = len(set().union(*counts.values()))
    totals = {one: sum(seen.values()) + vocabulary / 2 for one, seen in counts.items()}
    prior = Counter(map(label, training))

    def score(one: str, message: list[str]) -> float:
        likely = sum(math.log((counts[one][word] + 0.5) / totals[one]) for word in message)
        return math.log(prior[one]) + likely

    right = []
    for row in held_out:
        message = words(row.prompt)
        right.append(max(counts, key=lambda one: score(one, message)) == label(row))
    return right


def nearest(training: list[Row], held_out: list[Row]) -> tuple[float, tuple[str, str]]:
    """Find the held-out message that shares most of its three-word runs with a training one."""
    holders: defaultdict[tuple[str, ...], set[int]] = defaultdict(set)
    for number, row in enumerate(training):
        for run in runs(row.prompt):
            holders[run].add(number)
    best = (0.0, ("", ""))
    for row in held_out:
        own = runs(row.prompt)
        shared = Counter(number for run in own for number in holders.get(run, ()))
        for number, count in shared.most_common(1):
            best = max(best, (count / len(own), (row.prompt, training[number].prompt)))
    return best


def runs(prompt: str) -> set[tuple[str, ...]]:
    found = words(prompt)
    return set(three(found)) or {tuple(found)}


def three(found: list[str]) -> Iterable[tuple[str, ...]]:
    return zip(found, found[1:], found[2:], strict=False)
