"""How much text there is, in tokens and in which languages; measured on a sample of rows."""

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from fabriek.quality.worker.engine import quoted
from fabriek.quality.worker.job import Json
from fabriek.quality.worker.table import Table

try:  # only where training is installed
    import tokenizers
except ImportError:
    tokenizers = None  # type: ignore[assignment]

CHARACTERS_PER_TOKEN = 4  # a rule of thumb for European languages; said to be one
SAMPLE_ROWS = 2_000
ROW_CHARACTERS = 2_000
FEWEST_LETTERS = 20
SURE = 0.6


def samples(connection: duckdb.DuckDBPyConnection, table: Table) -> list[str]:
    """Give what stands in the text columns of some rows, joined."""
    names = table.texts()[:20]
    if not names:
        return []
    joined = ", ".join(f"coalesce({quoted(name)}, '')" for name in names)
    found = connection.execute(
        f"SELECT left(concat_ws(' ', {joined}), {ROW_CHARACTERS}) FROM {table.sample} "  # noqa: S608
        f"ORDER BY hash(_row) LIMIT {SAMPLE_ROWS}"
    ).fetchall()
    return [row[0] for row in found]


def languages(texts: list[str]) -> Json:
    """Count languages over rows that are long enough to tell one by."""
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    counted: Counter[str] = Counter()
    for text in texts:
        if sum(map(str.isalpha, text)) < FEWEST_LETTERS:
            continue
        language, probability = identifier.classify(text)
        counted[str(language) if probability >= SURE else "unsure"] += 1
    return {"rows": sum(counted.values()), "counts": dict(counted.most_common(8))}


def tokens(texts: list[str], *, characters: int, tokenizer: Path | None) -> Json:
    """Count by the tokenizer of the open model where there is one; else by a rule of thumb."""
    reader: Any = _tokenizer(tokenizer)
    seen = sum(map(len, texts))
    if reader is None or not seen:
        return {"count": round(characters / CHARACTERS_PER_TOKEN), "by": "characters"}
    counted = sum(len(one.ids) for one in reader.encode_batch(texts, add_special_tokens=False))
    return {"count": round(counted * characters / seen), "by": "tokenizer", "rows": len(texts)}


def _tokenizer(path: Path | None) -> Any:  # noqa: ANN401  of a package without types
    if path is None or tokenizers is None or not path.is_file():
        return None
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception:  # noqa: BLE001  it raises bare ones, at whatever a stranger wrote
        return None
