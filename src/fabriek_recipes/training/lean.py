"""Reads the heavy packages from disk, without what a run would not use of them.

From start to first step a small run took 4.0 s on 2 cores, and takes 2.4 s with this.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from types import ModuleType

# What transformers takes up wherever it is installed, for pictures and for weights that lie
# outside a GPU. Accelerate in its turn brings the library of Amazon's cloud.
UNUSED = ("accelerate", "PIL", "scipy")
TRANSFORMERS, MODELS = "transformers", "transformers.models"


def read(module: str, *, text_only: bool = False) -> ModuleType:
    """Import a module that imports much.

    `text_only`: this process has to do with nothing but text, until its end.
    """
    if text_only and TRANSFORMERS not in sys.modules:
        _read_transformers()
    if module in sys.modules:
        return sys.modules[module]
    with _all_stays():
        return importlib.import_module(module)


def _read_transformers() -> None:
    hidden = [name for name in UNUSED if name not in sys.modules]
    # None is Python's own word for a package that is not to be found. Transformers asks once.
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        with _all_stays():
            _list_no_models(importlib.import_module(TRANSFORMERS))
            importlib.import_module("transformers.modeling_utils")
    finally:
        for name in hidden:
            del sys.modules[name]


@contextmanager
def _all_stays() -> Iterator[None]:
    """Do not search what is made here for what could go again, now or ever.

    Modules stay, and searching them took a fifth of the time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _list_no_models(transformers: ModuleType) -> None:
    """Let the models be a folder without a beginning of its own (a namespace package).

    That beginning reads all thousand files, to know which names there are; who asks for a model
    by the folder that it lies in needs no list.
    """
    spec = ModuleSpec(MODELS, None, is_package=True)
    spec.submodule_search_locations = [f"{place}/models" for place in transformers.__path__]
    sys.modules[MODELS] = module_from_spec(spec)
