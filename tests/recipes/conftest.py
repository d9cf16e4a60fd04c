"""Run folders and a tiny base model for the tests of the recipes."""

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from fabriek_recipes.events import Event, read_events
from fabriek_recipes.recipe import catalogue
from fabriek_recipes.run_folder import InputRef, Limits, Manifest, write_manifest
from fabriek_recipes.training.process import main

KNOBS = {recipe.name: recipe.knobs for recipe in catalogue().values()}
TINY = {"size": "tiny", "vocabulary": 320, "context_tokens": 64, "tokens_per_step": 256}
PLACES = ("de brug", "het plein", "de sluis", "het station", "de kade")
CASES = (
    ("Er brandt iets bij", "hoog"),
    ("Een vraag over", "laag"),
    ("Het is glad op", "midden"),
)


@dataclass(frozen=True)
class Run:
    """A run folder and what came out of it."""

    folder: Path
    recipe: str

    def start(self) -> int:
        return main(self.recipe, catalogue()[self.recipe].knobs, [str(self.folder)])

    @property
    def events(self) -> list[Event]:
        return read_events(self.folder / "events.jsonl")[0]

    @property
    def failure(self) -> str:
        return str(next(e for e in self.events if e.kind == "failure").fields["text"])

    @property
    def report(self) -> dict:
        return json.loads((self.folder / "outputs/report.json").read_text())


def prepare(folder: Path, recipe: str, knobs: dict, inputs: dict[str, Path]) -> Run:
    refs = {}
    for name, source in inputs.items():
        place = folder / "inputs" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, place)
        kind = "model" if name.startswith("model") else "dataset"
        refs[name] = InputRef(kind=kind, revision="r1", path=f"inputs/{name}")
    manifest = Manifest(
        key="run-1",
        recipe=recipe,
        knobs=knobs,
        inputs=refs,
        seed=7,
        limits=Limits(gpus=0, timeout_s=60),
        code_version="test",
    )
    write_manifest(folder, manifest)
    return Run(folder, recipe)


def rows(count: int) -> list[dict]:
    made = []
    for number in range(count):
        case, urgency = CASES[number % len(CASES)]
        text = f"{case} {PLACES[number % len(PLACES)]}, huis {number}."
        made.append({"prompt": text, "completion": f"urgentie: {urgency}"})
    return made


def write_rows(folder: Path, made: list, name: str = "rows.jsonl") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) for row in made]
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """Keep the tests from fighting over two cores."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    texts = [f"{row['prompt']} {row['completion']}." for row in rows(120)]
    (folder / "text.txt").write_text("\n\n".join(texts))
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory, corpus) -> Path:
    """Make a tiny model with the recipe itself."""
    run = prepare(
        tmp_path_factory.mktemp("base"),
        "pretrain_lm",
        {**TINY, "epochs": 1},
        {"dataset": corpus},
    )
    assert run.start() == 0
    return run.folder / "outputs" / "model"


@pytest.fixture
def dataset(tmp_path) -> Path:
    return write_rows(tmp_path / "dataset", rows(60))


@pytest.fixture
def index(tmp_path):
    """Give an index of one package, as a folder that pip reads by its address."""
    place = tmp_path / "index" / "tinything"
    place.mkdir(parents=True)
    name = "tinything-1.0-py3-none-any.whl"
    info = "tinything-1.0.dist-info"
    with zipfile.ZipFile(place / name, "w") as wheel:
        wheel.writestr("tinything.py", "SAID = 'from the index'\n")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    (place / "index.html").write_text(f'<a href="{name}">{name}</a>')
    return (tmp_path / "index").as_uri()
