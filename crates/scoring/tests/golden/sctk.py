#!/usr/bin/env python3
"""Rewrites sctk.tsv and sctk_pairs.tsv: what NIST's scoring toolkit makes of made-up commands.

Needs sclite and sc_stats of SCTK (2.4.10), which on Debian and Ubuntu `apt-get install sctk` brings as `sctk`. Run by hand,
in any folder:

    python3 crates/scoring/tests/golden/sctk.py

sctk_pairs.tsv: set, reference, hypothesis of A, hypothesis of B, and the word edits of each as sclite counts them. sclite
aligns with other costs (4 for a substitution, 3 for the others), so at times it counts an edit more than the fewest.

sctk.tsv: one line a set. `segments`, `mean`, `deviation` and `z` are of `sc_stats -t mapsswe`, which counts errors of A less
those of B, in segments that it cuts at two words that both have right, and leaves out those without an error. `both_right`
to `both_wrong` are of `sc_stats -t mcn`. `mapsswe_p` and `mcnemar_p` are of `sc_stats -u`: the first is looked up in a table
by z cut to two decimals; the second is wrong where more than 20 utterances are right under one only (13 against 9 gives 0.006
and the exact test 0.52), where the factorials in it no longer fit.
"""

import random
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WORDS = "alpha bravo charlie delta echo foxtrot golf hotel india juliet".split()
# Name, utterances, longest reference in words, error rates of A and of B.
SETS = (
    ("short, B better", 150, 2, 0.3, 0.2),
    ("short, alike", 200, 2, 0.2, 0.2),
    ("short, A better", 80, 2, 0.1, 0.3),
    ("short, few errors", 300, 2, 0.05, 0.04),
    ("short, few utterances", 12, 2, 0.4, 0.3),
    ("short, a few better", 60, 2, 0.2, 0.1),
    ("short, a few alike", 40, 2, 0.2, 0.2),
    ("short, a few worse", 60, 2, 0.05, 0.2),
    ("long, B better", 150, 12, 0.25, 0.2),
    ("long, alike", 300, 12, 0.15, 0.15),
    ("long, A better", 100, 20, 0.1, 0.16),
)
COLUMNS = (
    "set segments mean deviation z mapsswe_p both_right only_a_right only_b_right both_wrong mcnemar_p".split()
)


def misheard(rng, words, rate):
    heard = []
    for word in words:
        kind = rng.random() / rate
        if kind < 0.6:
            heard.append(rng.choice(WORDS))
        elif kind >= 0.8:
            heard.append(word)
        if rng.random() < 0.15 * rate:
            heard.append(rng.choice(WORDS))
    return heard


def run(folder, *arguments, text=None):
    done = subprocess.run(["sctk", *arguments], cwd=folder, input=text, capture_output=True, check=True)
    return done.stdout.decode("latin-1")


def aligned(folder, name):
    """The alignment as SGML, and the edits of each utterance in it."""
    run(folder, *f"sclite -r ref.trn trn -h {name}.trn trn {name} -i rm -o sgml -n {name}".split())
    sgml = (folder / f"{name}.sgml").read_text("latin-1")
    edits = {}
    for number, path in re.findall(r"<PATH id=\"\(spk\d_(\d+)\)\"[^>]*>\n(.*)\n</PATH>", sgml):
        edits[int(number)] = sum(step[0] in "SDI" for step in path.split(":") if step)
    return sgml, edits


def number(pattern, text):
    return re.search(pattern, text).groups()


def score(rng, name, count, longest, rate_a, rate_b, folder):
    references = [[rng.choice(WORDS) for _ in range(rng.randint(1, longest))] for _ in range(count)]
    texts = {"ref": references}
    for recognizer, rate in (("a", rate_a), ("b", rate_b)):
        texts[recognizer] = [misheard(rng, words, rate) for words in references]
    for file, rows in texts.items():
        lines = [f"{' '.join(words)} (spk{n % 5}_{n:04d})\n" for n, words in enumerate(rows)]
        (folder / f"{file}.trn").write_text("".join(lines))
    (sgml_a, edits_a), (sgml_b, edits_b) = aligned(folder, "a"), aligned(folder, "b")
    both = (sgml_a + sgml_b).encode("latin-1")
    pairs = [
        "\t".join([name, *(" ".join(texts[t][n]) for t in ("ref", "a", "b")), str(edits_a[n]), str(edits_b[n])])
        for n in range(count)
    ]
    report = run(folder, *"sc_stats -p -t mapsswe -v -n -".split(), text=both)
    result = number(r"\(# segs: (\d+)\).*\(mean: (\S+)\) \(std dev: (\S+)\) \(Z Stat: (\S+)\)", report)
    report = run(folder, *"sc_stats -p -t mcn -v -n -".split(), text=both)
    table = number(r"corr +(\d+) +(\d+)\s+incorr +(\d+) +(\d+)", report)
    # One by one: after `mapsswe` the other test runs on its segments.
    chances = {}
    for test, short in (("mapsswe", "MP"), ("mcn", "MN")):
        report = run(folder, *f"sc_stats -p -t {test} -u -n -".split(), text=both)
        chances[short] = number(rf"\| +{short} +\|\|[^|]*\|[^|]*\|[^|]*?(<?\d?\.\d+)", report)[0]
    line = [name, *result, chances["MP"], *table, chances["MN"]]
    assert len(line) == len(COLUMNS)
    return "\t".join(line), pairs


def main():
    if not shutil.which("sctk"):
        sys.exit("sctk.py needs NIST's scoring toolkit; on Debian and Ubuntu: apt-get install sctk")
    rng = random.Random(1)
    lines, pair_lines = ["\t".join(COLUMNS)], ["set\treference\ta\tb\tedits_a\tedits_b"]
    with tempfile.TemporaryDirectory() as folder:
        for case in SETS:
            line, pairs = score(rng, *case, Path(folder))
            lines.append(line)
            pair_lines += pairs
    for name, rows in (("sctk.tsv", lines), ("sctk_pairs.tsv", pair_lines)):
        path = Path(__file__).parent / name
        path.write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
