#!/usr/bin/env python3
"""Rewrites significance.tsv: comparisons of two recognizers as numpy and scipy make them.

Needs numpy (2.4.6) and scipy (1.17.1). Run by hand, in any folder:

    python3 tests/golden/significance.py

Each line is a case; the first line names the columns. `pairs` has one word for each utterance,
errors of A, errors of B and reference words with colons between them, and a fourth part where the
utterance belongs to a group. A `-` stands for what is not defined. The bounds of the bootstrap are
quantiles of 200,000 resamples; `low_least` to `low_most` is where the bound from 20,000 other
resamples lies unless chance is off by more than five standard deviations, and likewise for `high`.
"""

import math
import random
from pathlib import Path

import numpy as np
from scipy import stats

RESAMPLES = 200_000
# What the test draws.
RESAMPLES_THERE = 20_000
DEVIATIONS = 5
COLUMNS = (
    "name pairs differing wer_a wer_b mean deviation z mapsswe_p only_a_right only_b_right mcnemar_p "
    "confidence low low_least low_most high high_least high_most improvement"
).split()


def utterances(rng, count, rate_a, rate_b, shared, groups=0, longest=14):
    """Errors of A, errors of B, words, and a group or None; `shared` of the errors are common."""
    skill = [rng.uniform(0.3, 2.5) for _ in range(groups)]
    for _ in range(count):
        group = rng.randrange(groups) if groups else None
        words = rng.randint(1, longest)
        hard = skill[group] if groups else 1
        both = sum(rng.random() < min(1, rate_a * shared * hard) for _ in range(words))
        only = [
            sum(rng.random() < min(1, rate * (1 - shared) * hard) for _ in range(words))
            for rate in (rate_a, rate_b)
        ]
        # At times a recognizer makes up words.
        extra = [rng.randint(1, 4) if rng.random() < 0.02 else 0 for _ in range(2)]
        yield both + only[0] + extra[0], both + only[1] + extra[1], words, group


def cases(rng):
    """Name, utterances, confidence."""
    for number, count in enumerate((2, 3, 5, 8, 12, 20, 40, 80, 150, 300)):
        for difference in (0, 0.04):
            rate = rng.uniform(0.02, 0.3)
            confidence = (0.95, 0.9, 0.99, 0.8)[number % 4]
            rows = list(utterances(rng, count, rate + difference, rate, rng.uniform(0, 0.8)))
            yield f"{count} utterances, difference {difference}", rows, confidence
    for count, groups in ((30, 3), (60, 10), (200, 25), (200, 150)):
        rows = list(utterances(rng, count, 0.2, 0.16, 0.5, groups))
        yield f"{count} utterances in {groups} groups", rows, 0.95
    rows = list(utterances(rng, 100, 0.2, 0.15, 0.5, 8))
    rows[::2] = [row[:3] + (None,) for row in rows[::2]]
    yield "half of the utterances without a group", rows, 0.95
    rows = list(utterances(rng, 60, 0.2, 0.15, 0.5))
    rows[::7] = [(a, b, 0, group) for a, b, _, group in rows[::7]]
    yield "some references without words", rows, 0.95
    yield "B much better", list(utterances(rng, 250, 0.6, 0.05, 0)), 0.95
    yield "A much better", list(utterances(rng, 250, 0.05, 0.6, 0)), 0.95
    yield "long utterances", list(utterances(rng, 40, 0.15, 0.12, 0.3, longest=400)), 0.95
    yield "the same errors", [(n % 3, n % 3, 6, None) for n in range(20)], 0.95
    yield "one error less everywhere", [(n % 3 + 1, n % 3, 4 + n % 5, None) for n in range(20)], 0.95
    yield "one utterance", [(2, 1, 7, None)], 0.95
    yield "no reference words", [(2, 1, 0, None), (0, 3, 0, None)], 0.95


def matched_pairs(difference):
    if len(difference) < 2 or np.all(difference == difference[0]):
        return [None] * 4
    z = stats.ttest_1samp(difference, 0).statistic
    return [difference.mean(), difference.std(ddof=1), z, 2 * stats.norm.sf(abs(z))]


def bootstrap(rows, confidence, rng):
    units = {}
    for index, (a, b, words, group) in enumerate(rows):
        key = ("utterance", index) if group is None else ("group", group)
        units[key] = units.get(key, 0) + np.array([a, b, words])
    units = np.array(list(units.values()))
    if len(units) < 2 or units[:, 2].sum() == 0:
        return [None] * 7
    differences = np.empty(0)
    while len(differences) < RESAMPLES:
        # How often each unit is drawn, for a slice of the resamples.
        times = rng.multinomial(len(units), np.full(len(units), 1 / len(units)), 20_000)
        a, b, words = (times @ units).T
        drawn = words > 0
        differences = np.append(differences, b[drawn] / words[drawn] - a[drawn] / words[drawn])
    differences = differences[:RESAMPLES]
    bounds = []
    for share in ((1 - confidence) / 2, (1 + confidence) / 2):
        chance = math.sqrt(share * (1 - share) * (1 / RESAMPLES + 1 / RESAMPLES_THERE))
        shares = [share, share - DEVIATIONS * chance, share + DEVIATIONS * chance]
        bounds += list(np.quantile(differences, np.clip(shares, 0, 1)))
    return bounds + [np.mean(differences < 0)]


def line(name, rows, confidence, rng):
    a, b, words = np.array([row[:3] for row in rows]).T
    only_a, only_b = int(np.sum((a == 0) & (b > 0))), int(np.sum((a > 0) & (b == 0)))
    chance = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1
    rates = [errors.sum() / words.sum() if words.sum() else None for errors in (a, b)]
    pairs = " ".join(":".join(str(part) for part in row if part is not None) for row in rows)
    numbers = [np.sum(a != b), *rates, *matched_pairs(b - a), only_a, only_b, chance, confidence]
    numbers += bootstrap(rows, confidence, rng)
    columns = [name, pairs] + ["-" if n is None else repr(np.asarray(n).item()) for n in numbers]
    assert len(columns) == len(COLUMNS)
    return "\t".join(columns)


def main():
    rng = np.random.default_rng(1)
    lines = ["\t".join(COLUMNS)] + [line(*case, rng) for case in cases(random.Random(1))]
    path = Path(__file__).parent / "significance.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
