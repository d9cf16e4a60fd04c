"""`fabriek doctor`: say what is missing and how to mend it."""

import sys

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.text import Text

from fabriek.serve import doctor

SIGNS = {
    "good": Text("good    ", "green"),
    "lacking": Text("lacking ", "red"),
    "optional": Text("absent  ", "dim"),
}


class Command(BaseCommand):
    help = "Say what this machine lacks, and how to mend it."

    def handle(self, *_args: object, **_options: object) -> None:
        console = Console()
        findings = doctor.examine()
        for finding in findings:
            console.print(SIGNS[finding.verdict], Text(f"{finding.what}: {finding.said}"))
            if finding.verdict != "good":
                console.print("        ", Text(finding.mend, "bold"))
        sys.exit(any(finding.verdict == "lacking" for finding in findings))
