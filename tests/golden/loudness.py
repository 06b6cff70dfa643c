#!/usr/bin/env python3
"""Rewrites loudness.txt from an independent implementation. By hand: pip install pyloudnorm; ./loudness.py

The signals are made by integer arithmetic, so that the test makes the same ones bit for bit. pyloudnorm's "DeMan" filters
are those of the recommendation for any rate; its default ones are near.
"""
import pathlib
import warnings

import numpy as np
import pyloudnorm

RATE = 16000
SEGMENT = 8000
# Level of the buzz in each half second, then amplitude of the noise.
CASES = [
    ("steady", [2], 100),
    ("talk_and_pauses", [4, 4, 0, 1, 3, 0, 0, 0], 20),
    ("mostly_pause", [0, 0, 0, 0, 0, 0, 0, 3], 5),
    ("noise", [0], 1000),
    ("faint_noise", [0], 30),
    ("below_the_gate", [0], 4),
]


def signal(levels, amplitude, n):
    state, out = 12345, np.zeros(n, np.float32)
    for i in range(n):
        state = (state * 1103515245 + 12345) % 2**31
        noise = (state >> 8) % (2 * amplitude + 1) - amplitude
        saw = (i * 120) % 16000 - 8000
        out[i] = np.float32((saw * levels[i // SEGMENT % len(levels)] + noise) / 32768.0)
    return out


warnings.simplefilter("ignore")
meter = pyloudnorm.Meter(RATE, filter_class="DeMan")
lines = ["# case samples LUFS"]
for name, levels, amplitude in CASES:
    for n in (6400, 32000, 160000):
        loudness = meter.integrated_loudness(signal(levels, amplitude, n).astype(np.float64))
        lines.append(f"{name} {n} {loudness:.6f}")
pathlib.Path(__file__).with_name("loudness.txt").write_text("\n".join(lines) + "\n")
