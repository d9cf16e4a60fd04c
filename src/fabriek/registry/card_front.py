"""The front matter of a card: lines that Hugging Face reads, above the Markdown."""

import json
from collections.abc import Mapping

# Those that it has the same word for.
HUB_LICENCES = {"cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "eupl-1.2", "apache-2.0", "mit"}


def licence(word: str) -> dict[str, object]:
    name = word.lower()
    if name in HUB_LICENCES:
        return {"license": name}
    return {"license": "other", "license_name": name}


def matter(meta: Mapping[str, object]) -> str:
    """JSON is valid YAML: quoting by a library, so that no title can break out of its line."""
    lines = [f"{name}: {json.dumps(value)}" for name, value in meta.items()]
    return "\n".join(["---", *lines, "---"])
