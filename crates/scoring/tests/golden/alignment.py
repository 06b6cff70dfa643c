#!/usr/bin/env python3
"""Rewrites alignment.tsv: pairs of sentences with the word edits that jiwer counts.

Needs jiwer (4.0.0). Run by hand, in any folder:

    python3 crates/scoring/tests/golden/alignment.py

Columns: reference, hypothesis, substitutions, deletions, insertions. The texts are random words of small vocabularies,
where many alignments are equally short, and made-up commands with the mistakes that recognizers make.
"""

import random
from pathlib import Path

import jiwer

ROOMS = "kitchen hall bedroom bathroom garage study cellar garden attic nursery".split()
THINGS = "lights heating fan blinds radio kettle oven lamp speaker window".split()
FRAMES = (
    "turn {way} the {thing} in the {room}",
    "please turn the {thing} in the {room} {way} at {n} o'clock",
    "set a timer for {n} minutes and then switch the {thing} {way}",
    "is the {thing} in the {room} still {way} or did somebody else switch it {way} again",
    "remind me in {n} hours that the {room} {thing} is {way}",
    "what is {n} times {m}",
    "{way}",
    "stop the {thing} the {thing} not the {room} {thing}",
)
MISHEARD = {
    "lights": ["light", "lice", "like"], "in": ["and", "an", ""], "the": ["a", "", "the the"], "turn": ["term", "tern"],
    "hall": ["whole", "hole"], "study": ["steady"], "cellar": ["seller"], "o'clock": ["o clock", "clock"],
    "timer": ["time her"], "bedroom": ["bed room"], "somebody": ["some body"], "off": ["of"], "for": ["four", "4"],
}


def command(rng):
    frame = rng.choice(FRAMES)
    numbers = "one two three four five six seven eight nine ten twenty-one".split()
    return frame.format(
        way=rng.choice(["on", "off"]), thing=rng.choice(THINGS), room=rng.choice(ROOMS),
        n=rng.choice(numbers), m=rng.choice(numbers),
    )


def misheard(rng, text, share):
    words = []
    for word in text.split():
        if rng.random() >= share:
            words.append(word)
            continue
        kind = rng.random()
        if kind < 0.5:
            words.append(rng.choice(MISHEARD.get(word, [rng.choice(THINGS), rng.choice(ROOMS)])))
        elif kind < 0.7:
            continue
        elif kind < 0.9:
            words += [word, rng.choice(["uh", "the", word])]
        else:
            words.insert(max(0, len(words) - 1), word)
    return " ".join(" ".join(words).split())


def noise(rng):
    letters = "abcdefghijkl"[: rng.randint(1, 12)]
    return [" ".join(rng.choice(letters) for _ in range(rng.randint(1, 18))) for _ in range(2)]


def pairs(rng):
    for _ in range(2_500):
        yield noise(rng)
    for _ in range(1_500):
        text = command(rng)
        yield text, misheard(rng, text, rng.choice([0.05, 0.2, 0.5]))
    for _ in range(30):
        text = " ".join(command(rng) for _ in range(8))
        yield text, misheard(rng, text, 0.25)
    yield "one two three", ""


def main():
    lines = ["reference\thypothesis\tsubstitutions\tdeletions\tinsertions"]
    for reference, hypothesis in pairs(random.Random(1)):
        counts = jiwer.process_words(reference, hypothesis)
        numbers = (counts.substitutions, counts.deletions, counts.insertions)
        lines.append("\t".join([reference, hypothesis, *map(str, numbers)]))
    path = Path(__file__).parent / "alignment.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
