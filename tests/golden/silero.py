"""Writes silero_v6.2_scores.txt, the scores that tests/silero_parity.rs holds the detector to.

    python tests/golden/silero.py silero_vad_16k_op15.onnx > tests/golden/silero_v6.2_scores.txt

Needs onnxruntime and numpy. The signal is made by integer arithmetic alone, the same in the Rust
test, so that both sides hear the same samples bit for bit.
"""
import sys

import numpy as np
import onnxruntime

RATE = 16000
# Formants in Hz of eight vowels.
VOWELS = [(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480),
          (570, 840, 2410), (660, 1720, 2410), (440, 1020, 2240), (490, 1350, 1690)]


def cosine(hz):
    """32768 cos(2 pi hz / 16000), by Bhaskara's approximation; hz in 0..4000."""
    return 32768 * (64_000_000 - 4 * hz * hz) // (64_000_000 + hz * hz)


class Noise:
    """Knuth's 64-bit linear congruential generator; the top bits, as -32768..32767."""

    def __init__(self):
        self.state = 1

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
        return (self.state >> 48) - 32768


class Resonator:
    """Two poles at radius 0.98, about 100 Hz wide."""

    def __init__(self):
        self.a = self.b = 0

    def next(self, x, hz):
        y = x + ((2 * 32113 * cosine(hz) >> 15) * self.a - 31471 * self.b >> 15)
        self.a, self.b = y, self.a
        return y


def signal():
    """24 s of 16-bit samples: syllables of changing pitch, vowel and level, hisses, bursts, pauses."""
    noise, resonators, samples = Noise(), [Resonator() for _ in range(3)], []
    phase = 0
    for segment in range(96):
        kind = "vvhvpvvvnvhvppvcvhvvpbvvhvvppppp"[segment % 32]
        level = 1 << (segment * 5 % 7)
        vowel, following = VOWELS[segment * 3 % 8], VOWELS[(segment * 3 + 5) % 8]
        for n in range(4000):
            hiss = noise.next()
            pitch = 110 + segment * 17 % 60 + (n * (segment % 5 - 2) >> 7)
            phase += pitch
            pulse = 0
            if phase >= RATE:
                phase -= RATE
                pulse = 12000
            swell = min(n, 4000 - n, 600)
            excitation = pulse + (hiss >> 8) if kind == "v" else 0
            voice = 0
            for resonator, now, then in zip(resonators, vowel, following):
                voice += resonator.next(excitation, now + ((then - now) * n) // 4000)
            if kind == "v":
                x = voice * swell * level >> 16
            elif kind == "h":
                x = hiss * swell >> 13
            elif kind == "n":
                x = hiss >> 5
            elif kind == "c":
                x = hiss if n < 40 else 0
            elif kind == "b":
                x = (hiss >> 2) * (1 - (n // 500) % 2)
            else:
                x = hiss >> 12
            samples.append(max(-32768, min(32767, x)))
    return samples


def main():
    samples = np.array(signal(), np.float32) / np.float32(32768)
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)
    rate = np.array(RATE, np.int64)
    for frame in samples[: len(samples) // 512 * 512].reshape(-1, 1, 512):
        heard = np.concatenate([context, frame], 1)
        score, state = session.run(None, {"input": heard, "state": state, "sr": rate})
        context = heard[:, -64:]
        print(f"{score[0, 0]:.7f}")


if __name__ == "__main__":
    main()
