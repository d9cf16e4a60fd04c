"""A page that shows every part with sample contents; only there while developing."""

import math
from dataclasses import dataclass
from datetime import timedelta

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from fabriek.kernel import charts
from fabriek.kernel.errors import Invalid
from fabriek.kernel.numbers import WholeNumberField
from fabriek.kernel.paging import Paged
from fabriek.kernel.steps import NextStep
from fabriek.kernel.timeline import Happening

HOUR = 3600


class SampleForm(forms.Form):
    title = forms.CharField(
        label="Title of your case", help_text="One line, as you would say it."
    )
    problem = forms.CharField(
        label="What do you want to solve?", widget=forms.Textarea, required=False
    )
    mail = forms.EmailField(label="Your e-mail address")
    sector = forms.ChoiceField(
        label="Sector",
        choices=[("mobility", "Mobility"), ("safety", "Safety"), ("care", "Care")],
    )
    hours = WholeNumberField(
        label="How much computing?", min_value=1, help_text="At most 5,000."
    )
    personal = forms.ChoiceField(
        label="Does your data tell something about people?",
        choices=[("no", "No"), ("yes", "Yes"), ("unknown", "I do not know")],
        widget=forms.RadioSelect,
    )
    file = forms.FileField(
        label="Your data", required=False, help_text="JSON lines, up to 100 GB."
    )
    agree = forms.BooleanField(label="We use the outcome for civilian purposes only.")


@dataclass(frozen=True, slots=True)
class Row:
    title: str
    owner: str
    state: str
    gpu_seconds: int
    size_bytes: int
    end: timedelta


def look(request: HttpRequest) -> HttpResponse:
    messages.success(request, "Your application was submitted.")
    context = {
        "stations": _stations(),
        "steps": _steps(),
        "facts": _facts(),
        "entries": _entries(),
        "rows": _rows(),
        "page": _page(),
        "tones": ["good", "attention", "wrong", "busy", "neutral"],
        "state_words": [
            "draft",
            "submitted",
            "awarded",
            "running",
            "returned",
            "failed",
            "lost",
        ],
        "states": [("draft", "Draft"), ("submitted", "Submitted")],
        "form": SampleForm(),
        "wrong_form": SampleForm(
            {"title": "", "mail": "piet", "hours": "0"}, auto_id="wrong_%s"
        ),
        "chart": _chart(),
        "no_chart": charts.line_chart([], x_label="", y_label="", title="Loss per step"),
        "origin": _origin(),
        "refusal": Invalid(
            "Line 214 has no completion. Add one, or leave the line out, and send it again.",
            fields={"file": "line 214"},
        ),
        "soon": timezone.now() + timedelta(days=12),
        "hour_ago": timezone.now() - timedelta(minutes=12),
    }
    return render(request, "parts/gallery.html", context)


def _page() -> Paged[Model]:
    return Paged(items=[], count=1204, page=7, size=50)


def _stations() -> list[dict[str, str]]:
    names = ["Case", "Access", "GPU-hours", "Data", "Runs", "Model", "Use", "Report"]
    notes = [
        "accepted",
        "Playground",
        "412 left",
        "2 datasets",
        "1 running",
        "",
        "",
        "due in March",
    ]
    status = ["done", "done", "done", "done", "current", "todo", "todo", "todo"]
    return [
        {"label": name, "url": "#" if state != "todo" else "", "status": state, "note": note}
        for name, note, state in zip(names, notes, status, strict=True)
    ]


def _steps() -> list[NextStep]:
    return [
        NextStep(
            name="start",
            label="Start the run",
            sentence="Your data is ready: start the first run, about 8 of your 412 GPU-hours.",
            url="#start",
            method="get",
        ),
        NextStep(name="ask", label="Ask an expert", sentence="", url="#ask", method="get"),
        NextStep(
            name="withdraw",
            label="Withdraw",
            sentence="",
            url="#w",
            method="get",
            tone="danger",
        ),
    ]


def _facts() -> list[dict[str, str]]:
    return [
        {"label": "Organisation", "value": "Zorgtaal B.V.", "url": "#"},
        {
            "label": "Access mode",
            "value": "Playground",
            "help": "First in, first out; answer within 2 working days.",
        },
        {"label": "Partner", "value": "Rijksuniversiteit Groningen"},
        {"label": "Personal data", "value": "No"},
    ]


def _entries() -> list[Happening]:
    now = timezone.now()
    return [
        Happening(at=now, sentence="The run started on 2 GPUs.", by="the engine"),
        Happening(
            at=now - timedelta(hours=3),
            sentence="Dataset “messages to the care desk” got revision 3.",
            by="Anke de Boer",
        ),
        Happening(
            at=now - timedelta(days=4),
            sentence="The application was awarded 5,000 GPU-hours.",
            by="Wim Postma",
            note="“Clear aim, right size, data at hand.”",
            tone="good",
        ),
    ]


def _rows() -> list[Row]:
    return [
        Row(
            "Triage of messages to the care desk",
            "Zorgtaal B.V.",
            "running",
            412 * HOUR,
            1_240_000_000,
            timedelta(days=12),
        ),
        Row(
            "Counting cyclists without cameras",
            "Veluwe Mobiel",
            "submitted",
            5000 * HOUR,
            18_400_000,
            timedelta(days=96),
        ),
        Row(
            "Fire alarms that explain themselves",
            "Brandwijs",
            "returned",
            90,
            512,
            timedelta(days=-3),
        ),
        Row(
            "Dialect in the ambulance",
            "UMC Noord",
            "awarded",
            12_345 * HOUR + 1800,
            98_700_000_000,
            timedelta(days=400),
        ),
    ]


def _chart() -> charts.LineChart:
    train = [
        (float(s), 2.6 * math.exp(-s / 160) + 0.42 + 0.06 * math.sin(s * 1.7))
        for s in range(1000)
    ]
    held = [(float(s), 2.5 * math.exp(-s / 150) + 0.55 + s / 9000) for s in range(0, 1000, 50)]
    return charts.line_chart(
        [
            charts.Series(name="training", points=train),
            charts.Series(name="held-out", points=held),
        ],
        x_label="step",
        y_label="loss (nats per token)",
        title="Loss on held-out data stopped falling at step 400",
    )


def _origin() -> list[dict[str, object]]:
    return [
        {
            "kind": "Model",
            "items": [{"label": "care-desk-nl 1", "url": "#", "note": "exact match 0.83"}],
        },
        {"kind": "Run", "items": [{"label": "Run 12", "url": "#", "note": "8.2 GPU-hours"}]},
        {
            "kind": "Data and base model",
            "items": [
                {"label": "Messages, revision 3", "url": "#"},
                {"label": "base-nl-300m", "url": "#", "note": "Apache 2.0"},
            ],
        },
        {
            "kind": "Award",
            "items": [{"label": "FAB-2026PG01-1147", "url": "#", "note": "5,000 GPU-hours"}],
        },
        {
            "kind": "Case",
            "items": [{"label": "Triage of messages to the care desk", "url": "#"}],
        },
    ]
