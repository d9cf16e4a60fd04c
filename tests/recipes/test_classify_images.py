"""Teaching labels of pictures as a whole, on models of a few thousand weights."""

import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    ResNetConfig,
    ResNetModel,
    ViTConfig,
    ViTImageProcessor,
    ViTModel,
)

from fabriek_recipes import evaluation
from fabriek_recipes.classify_images.knobs import RECIPE, Knobs
from fabriek_recipes.kinds import Facts
from tests.recipes.conftest import Run, prepare
from tests.recipes.stopping_at import stop_at

QUICK = {"epochs": 6, "learning_rate": 0.003, "pictures_per_step": 8}
SIDE = 16


def draw(folder: Path, count: int = 20, *, seed: int = 5) -> Path:
    """Draw stripes that stand or lie, of any colour: what colours alone cannot tell apart."""
    luck = np.random.default_rng(seed)
    for label in ("staand", "liggend"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            stripes = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
            stripes[:, luck.integers(0, 2) :: 2] = luck.integers(120, 256, 3)
            picture = stripes if label == "staand" else stripes.transpose(1, 0, 2)
            Image.fromarray(picture).save(folder / label / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def seer(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("seer")
    config = ViTConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=SIDE,
        patch_size=4,
    )
    torch.manual_seed(0)
    ViTModel(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def drawn(tmp_path_factory) -> Path:
    return draw(tmp_path_factory.mktemp("drawn"))


def run_of(tmp_path, data, model, name="run", **knobs) -> Run:
    inputs = {"dataset": data, "model": model}
    return prepare(tmp_path / name, "classify_images", {**QUICK, **knobs}, inputs)


def evaluated(run: Run) -> evaluation.Evaluation:
    found = evaluation.parsed((run.folder / "outputs/evaluation.json").read_bytes())
    assert found is not None
    return found


def test_labels_are_learned_and_the_model_is_left_whole(tmp_path, drawn, seer):
    run = run_of(tmp_path, drawn, seer, epochs=40)

    assert run.start() == 0

    scores = run.report["scores"]
    assert scores["accuracy_after"] > 0.9 > scores["accuracy_before"]
    assert (run.report["rows_trained"], run.report["rows_held_out"]) == (32, 8)
    folder = run.folder / "outputs/model"
    model = AutoModelForImageClassification.from_pretrained(folder)
    picture = Image.open(drawn / "staand" / "0.png")
    pixels = AutoImageProcessor.from_pretrained(folder)(picture, return_tensors="pt")
    said = model(**pixels).logits.argmax().item()
    assert model.config.id2label[said] == "staand"
    assert evaluated(run).worst[0].row.endswith(".png")


@pytest.mark.parametrize("kind", ["vit", "resnet"])
def test_a_run_that_was_stopped_ends_the_same(tmp_path, drawn, seer, monkeypatch, kind):
    base = seer
    if kind == "resnet":  # keeps means of what it saw, which must not depend on the stop
        base = tmp_path / "resnet"
        config = ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic"
        )
        torch.manual_seed(0)
        ResNetModel(config).save_pretrained(base)
        ViTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(base)
    whole, stopped = (
        run_of(tmp_path, drawn, base, name=name, epochs=2, checkpoint_every_steps=2)
        for name in ("whole", "stopped")
    )
    assert whole.start() == 0
    with monkeypatch.context() as patch:
        stop_at(patch, 3, "metrics")
        assert stopped.start() == 143

    assert stopped.start() == 0

    one, other = (
        (run.folder / "outputs/model/model.safetensors").read_bytes()
        for run in (whole, stopped)
    )
    assert one == other
    assert whole.report["scores"] == stopped.report["scores"]


def test_metadata_and_a_folder_kept_apart_are_read(tmp_path, seer):
    data = tmp_path / "data"
    for part, count in (("train", 10), ("test", 4)):
        draw(data / part / "x", count, seed=count)
        lines = [
            f"{path.relative_to(data / part)},{path.parent.name.upper()}"
            for path in sorted((data / part).rglob("*.png"))
        ]
        (data / part / "metadata.csv").write_text("\n".join(["file_name,label", *lines]))
    run = run_of(tmp_path, data, seer, epochs=1)

    assert run.start() == 0

    assert (run.report["rows_trained"], run.report["rows_held_out"]) == (20, 8)
    assert {one.name for one in evaluated(run).labels} == {"STAAND", "LIGGEND"}


def test_a_column_of_metadata_keeps_pictures_apart(tmp_path, seer):
    data = draw(tmp_path / "data", 10, seed=3)
    part = dict.fromkeys("123", "Test")
    lines = [
        f"{path.relative_to(data)},{path.parent.name},{part.get(path.stem, 'train')}"
        for path in sorted(data.rglob("*.png"))
    ]
    (data / "metadata.csv").write_text("\n".join(["file_name,label,Split", *lines]))
    run = run_of(tmp_path, data, seer, epochs=1)

    assert run.start() == 0

    assert (run.report["rows_trained"], run.report["rows_held_out"]) == (14, 6)
    told = [event.fields for event in run.events if event.kind == "warning"]
    assert [one["code"] for one in told].count("split_column") == 1


def bomb(path: Path) -> None:
    """Write a PNG of a few bytes that says to have 10,000 million points."""
    head = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    made = b"\x89PNG\r\n\x1a\n"
    for kind, content in ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")):
        made += struct.pack(">I", len(content)) + kind + content
        made += struct.pack(">I", zlib.crc32(kind + content))
    path.write_bytes(made)


def cut_short(path: Path) -> None:
    luck = random.Random(1)
    pixels = bytes(luck.randrange(256) for _place in range(64 * 64 * 3))
    Image.frombytes("RGB", (64, 64), pixels).save(path)
    path.write_bytes(path.read_bytes()[:2_000])


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (bomb, "staand/kapot.png has more than 50 million points; make it smaller."),
        (cut_short, "staand/kapot.png is broken or no picture; mend it or take it away."),
        (
            lambda path: path.write_text("geen plaatje"),
            "staand/kapot.png is broken or no picture; mend it or take it away.",
        ),
        (
            lambda path: path.write_bytes(b""),
            "staand/kapot.png is broken or no picture; mend it or take it away.",
        ),
    ],
)
def test_a_picture_that_cannot_be_used_is_named(tmp_path, seer, spoil, sentence):
    data = draw(tmp_path / "data", 6)
    spoil(data / "staand" / "kapot.png")
    run = run_of(tmp_path, data, seer)

    assert run.start() == 2

    assert run.failure == sentence


def only_one_label(data: Path) -> None:
    draw(data, 3)
    for path in (data / "staand").iterdir():
        path.unlink()


def outside(data: Path) -> None:
    data.mkdir()
    (data / "metadata.csv").write_text("file_name,label\n../../run.json,x\n")


def loose(data: Path) -> None:
    draw(data, 2)
    Image.new("RGB", (4, 4)).save(data / "los.png")


@pytest.mark.parametrize(
    ("lay_out", "sentence"),
    [
        (Path.mkdir, "The dataset has no pictures (.jpg, .png, .webp or .bmp)"),
        (only_one_label, "There is only one label, “liggend”"),
        (outside, "Line 2 of metadata.csv names ../../run.json, which is not there."),
        (loose, "los.png lies in no folder of a label"),
        (lambda data: draw(data, 1), "There are too few pictures to keep some apart"),
    ],
)
def test_a_dataset_that_will_not_do_is_refused(tmp_path, seer, lay_out, sentence):
    data = tmp_path / "data"
    lay_out(data)
    run = run_of(tmp_path, data, seer)

    assert run.start() == 2

    assert run.failure.startswith(sentence)
    problems = RECIPE.checks({"dataset": data})
    assert problems == () or problems[0].startswith(sentence)


def test_a_base_that_does_not_see_is_refused(tmp_path, drawn, base):
    assert RECIPE.checks({"dataset": drawn, "model": base})[0].startswith(
        "The base model does not say how it wants pictures"
    )


def test_the_estimate_counts_pictures(drawn, seer):
    nothing = Facts(rows=0, text_bytes=0, device="cpu")
    facts = RECIPE.count({"dataset": drawn, "model": seer}, nothing)

    few, many = (RECIPE.estimate(Knobs(epochs=count), facts) for count in (1, 200))

    assert facts.files == 40
    assert few.gpu_seconds < many.gpu_seconds


def test_a_picture_that_is_learned_from_is_not_scored(tmp_path, seer):
    data = draw(tmp_path / "data", 12)
    for label in ("staand", "liggend"):
        (data / "test" / label).mkdir(parents=True)
        for number in (0, 1):
            same = (data / label / f"{number}.png").read_bytes()
            (data / "test" / label / f"{number}.png").write_bytes(same)
        (data / label / "11.png").rename(data / "test" / label / "11.png")
    run = run_of(tmp_path, data, seer, epochs=1)

    assert run.start() == 0

    assert run.report["rows_held_out"] == 2
    told = [str(e.fields["text"]) for e in run.events if e.kind == "warning"]
    assert (
        told[0] == "4 of 6 pictures kept apart are also among those learned from: not scored."
    )
