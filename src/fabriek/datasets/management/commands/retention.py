"""`python -m fabriek retention`: what old revisions take, and dropping them for an owner."""

from argparse import ArgumentParser
from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError, no_translations
from django.db.models import QuerySet

from fabriek.datasets import retention
from fabriek.datasets.models import Dataset
from fabriek.datasets.retention_shapes import DAYS_MAX
from fabriek.kernel.errors import Refused
from fabriek.kernel.templatetags.fabriek import size
from fabriek.people.models import Person
from fabriek.store.retention import Plan, Wish

WRONG = 2


class Command(BaseCommand):
    help = "Say which old revisions of datasets could go and why others stay, or drop them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("datasets", nargs="*", help="codes, such as D26-0001; none: all")
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--plan", action="store_true", help="only say what would go")
        what.add_argument("--drop", action="store_true", help="drop them")
        parser.add_argument("--by", default="", help="e-mail address of the owner's lead")
        parser.add_argument("--keep-last", type=int, default=None, help="keep so many")
        parser.add_argument("--older-than", type=int, default=None, help="in days")
        parser.add_argument("--why", default="", help="kept with the history")

    @no_translations  # what a person would read in Dutch stands here in a line of English
    def handle(self, *_args: object, **asked: object) -> None:
        wish = _wish(asked)
        if asked["drop"] and not (asked["datasets"] and asked["by"]):
            raise CommandError(
                "Name the datasets, and with --by whose wish it is.", returncode=WRONG
            )
        try:
            for dataset in _datasets(asked["datasets"]):
                self._tell(dataset, self._plan(dataset, wish, asked), done=bool(asked["drop"]))
        except Refused as refusal:
            raise CommandError(str(refusal), returncode=WRONG) from refusal

    def _plan(self, dataset: Dataset, wish: Wish, asked: dict[str, object]) -> Plan:
        if not asked["drop"]:
            return retention.overview(dataset, wish)
        by = Person.objects.filter(email=asked["by"]).first()
        if by is None:
            raise CommandError(f"Nobody here has the address {asked['by']}.", returncode=WRONG)
        return retention.drop(dataset, wish, by=by, why=str(asked["why"]))

    def _tell(self, dataset: Dataset, plan: Plan, *, done: bool) -> None:
        word = "dropped" if done else "would go"
        self.stdout.write(
            f"{dataset.code}: {len(plan.go)} revisions {word}, {size(plan.freed_bytes)} freed"
        )
        for line in plan.go:
            self.stdout.write(f"  {line.revision.number:5d}  {word}")
        for line in plan.stay:
            self.stdout.write(f"  {line.revision.number:5d}  stays: {line.why}")


def _wish(asked: dict[str, object]) -> Wish:
    keep_last, days = asked["keep_last"], asked["older_than"]
    if keep_last is None and days is None:
        keep_last = 1
    if days is not None and abs(int(str(days))) > DAYS_MAX:
        raise CommandError(f"--older-than is at most {DAYS_MAX} days.", returncode=WRONG)
    return Wish(
        keep_last=int(str(keep_last)) if keep_last is not None else None,
        older_than=timedelta(days=int(str(days))) if days is not None else None,
    )


def _datasets(codes: object) -> "QuerySet[Dataset]":
    rows = Dataset.objects.select_related("repository", "case").order_by("code")
    if not isinstance(codes, list) or not codes:
        return rows
    found = rows.filter(code__in=codes)
    if missing := set(codes) - set(found.values_list("code", flat=True)):
        raise CommandError(f"There is no dataset {sorted(missing)[0]}.", returncode=WRONG)
    return found
