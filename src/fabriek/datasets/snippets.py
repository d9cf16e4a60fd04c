"""What somebody copies to use a dataset with the libraries and programs they know."""

from dataclasses import dataclass

from django.conf import settings

from fabriek.datasets.models import Dataset


@dataclass(frozen=True, kw_only=True, slots=True)
class Snippets:
    """`settings` go in a shell once, `rows` in Python; `files` and `ours` are commands."""

    settings: str
    rows: str
    files: str
    ours: str


def of(dataset: Dataset) -> Snippets:
    name = dataset.repository.repo_id
    return Snippets(
        settings=f"export HF_ENDPOINT={settings.FACTORY_URL}\nexport HF_TOKEN=fbk_…",
        rows=f"from datasets import load_dataset\n\nrows = load_dataset('{name}')",
        files=f"hf download {name} --repo-type dataset --local-dir {dataset.code}",
        ours=f"fabriek data pull {dataset.code}",
    )
