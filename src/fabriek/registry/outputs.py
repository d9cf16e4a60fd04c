"""Which files of a run's outputs make the model, and which are never taken."""

from pathlib import Path

from django.utils.translation import gettext as _

from fabriek.kernel.errors import Invalid
from fabriek_recipes import run_folder

# Formats that only hold data. Anything that could run code when it is opened stays out.
TAKEN = {".safetensors", ".json", ".txt", ".model", ".md", ".jinja"}
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"}
FOLDERS = {"model": "", "adapter": "adapter/"}


def model_files(folder: Path) -> dict[str, Path]:
    """Name the files of the model a run made, as they will stand in its repository.

    Raises:
        Invalid: no whole model is there, a pickle, a link, or a file of another kind.
    """
    outputs = folder / run_folder.OUTPUTS
    found: dict[str, Path] = {}
    for name, prefix in FOLDERS.items():
        found |= _below(outputs / name, prefix)
    return _checked(found)


def plain_files(folder: Path) -> dict[str, Path]:
    """Name the files of a model that lies in a folder of its own. Raises: Invalid, as above."""
    return _checked(_below(folder, ""))


def _below(folder: Path, prefix: str) -> dict[str, Path]:
    return {
        f"{prefix}{path.relative_to(folder).as_posix()}": path
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or not path.is_dir()
    }


def _checked(found: dict[str, Path]) -> dict[str, Path]:
    for name, path in found.items():
        _check(name, path)
    if "config.json" not in found or not any(name.endswith(".safetensors") for name in found):
        raise Invalid(
            _("The run left no whole model: config.json or the weights are missing."),
            code="no_model",
        )
    return found


def _check(name: str, path: Path) -> None:
    if path.is_symlink() or not path.is_file():
        raise Invalid(
            _("%(name)s is not a plain file, so the model was not taken in.") % {"name": name},
            code="no_plain_file",
        )
    if path.suffix in PICKLES:
        raise Invalid(
            _(
                "%(name)s is in a format that can run code when it is opened, so the model was "
                "not taken in. Save the weights as safetensors."
            )
            % {"name": name},
            code="pickle",
        )
    if path.suffix not in TAKEN:
        raise Invalid(
            _("%(name)s is not a kind of file a model consists of, so it was not taken in.")
            % {"name": name},
            code="unknown_file",
        )
