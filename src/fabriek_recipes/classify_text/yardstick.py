"""The yardstick of a model that labels texts: which words stand in them, with a weight each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

WORDS_MAX = 200_000
PAIRS_OF_WORDS = (1, 2)
# Little penalty: rare words tell labels apart, and are many.
STRENGTH = 10.0


def chances(
    texts: Sequence[str], labels: Sequence[int], asked: Sequence[str], count: int
) -> NDArray[np.float64]:
    """Learn from texts and their labels, and predict chances for others, (N, K).

    Where no word comes back, or only one label is there, it says their shares.
    """
    found = np.zeros((len(asked), count))
    try:
        counting = TfidfVectorizer(
            ngram_range=PAIRS_OF_WORDS, max_features=WORDS_MAX, sublinear_tf=True
        )
        learned = counting.fit_transform(texts)
        model = LogisticRegression(C=STRENGTH, max_iter=300).fit(learned, labels)
    except ValueError:
        return shares(labels, len(asked), count)
    found[:, model.classes_] = model.predict_proba(counting.transform(asked))
    return found


def shares(labels: Sequence[int], rows: int, count: int) -> NDArray[np.float64]:
    """Say the same of every text: how often each label stood in the rows learned from."""
    counts = np.bincount(np.asarray(labels, dtype=np.int64), minlength=count) + 1e-9
    return np.tile(counts / counts.sum(), (rows, 1))
