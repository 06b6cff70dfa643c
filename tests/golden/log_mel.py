#!/usr/bin/env python3
"""Rewrites log_mel.txt from an independent implementation. By hand: pip install faster-whisper; ./log_mel.py

The signal is made by integer arithmetic, so that the test makes the same one bit for bit.
"""
import pathlib

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor


def signal(n):
    """A loud buzz that decays, a quiet one, and faint noise, from a linear congruential generator."""
    state, out = 12345, np.zeros(n, np.float32)
    for i in range(n):
        state = (state * 1103515245 + 12345) % 2**31
        noise = (state >> 8) % 2001 - 1000
        saw = (i * 120) % 16000 - 8000
        loud = 3 if i < n // 3 else (1 if i < n // 2 else 0)
        out[i] = np.float32((saw * loud + noise // (4 if i % 9600 < 4800 else 40)) / 32768.0)
    return out


samples = signal(3 * 16000)
mel = FeatureExtractor(feature_size=80)(samples)
mel = np.pad(mel, ((0, 0), (0, 3000 - mel.shape[1])))
lines = ["# band frame value: every 7th frame of the first 320, all 80 bands"]
for band in range(80):
    for frame in range(0, 320, 7):
        lines.append(f"{band} {frame} {mel[band, frame]:.6f}")
pathlib.Path(__file__).with_name("log_mel.txt").write_text("\n".join(lines) + "\n")
