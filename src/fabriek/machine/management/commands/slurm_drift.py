"""`fabriek slurm drift`: where the machine's accounting and the ledger differ."""

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict

from django.core.management.base import BaseCommand
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import translation

from fabriek.machine import drift, drift_words


class Command(BaseCommand):
    help = "Say where the machine and the ledger differ, and what to do; ends with 1 if so."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="for programs")

    def handle(self, *_args: object, as_json: bool, **_options: object) -> None:
        report = drift.report()
        with translation.override("en"):  # as all commands speak
            if as_json:
                self.stdout.write(json.dumps(_shaped(report), cls=DjangoJSONEncoder, indent=1))
            else:
                self._tell(report)
        sys.exit(report.has_drift)

    def _tell(self, report: drift.Report) -> None:
        self.stdout.write(drift_words.summary(report))
        for finding in report.findings:
            said = drift_words.said(finding)
            self.stdout.write(f"\n{'!' if finding.is_drift else '-'} {said.what}")
            if said.machine or said.ledger:
                self.stdout.write(
                    f"  GPU-hours: {said.machine or 'nothing'} by the machine, "
                    f"{said.ledger or 'nothing'} in the ledger"
                )
            self.stdout.write(f"  {said.mend}")


def _shaped(report: drift.Report) -> dict[str, object]:
    return {
        "drift": report.has_drift,
        "since": report.since,
        "accounting_heard_at": report.books.heard_at,
        "reconciled_at": report.books.reconciled_at,
        "findings": [
            asdict(one)
            | {
                "is_drift": one.is_drift,
                "sentence": drift_words.said(one).what,
                "what_to_do": drift_words.said(one).mend,
            }
            for one in report.findings
        ],
    }
