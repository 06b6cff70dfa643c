#!/usr/bin/env python3
"""Rewrites normalizer_en.tsv and normalizer_basic.tsv from the reference implementation.

Needs the package whisper-normalizer (0.1.15). Run by hand, in any folder:

    python3 tests/golden/normalizer.py

Each line is input, tab, expected text. Everything outside printable ASCII, letters and single
inner spaces is written \\u{hex}, and a backslash is doubled. The sentences are made up here; the
seed is fixed, so that a rerun changes nothing but what the rules changed.
"""

import random
import unicodedata
from pathlib import Path

from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

FOLDER = Path(__file__).parent

ENGLISH = """
I'll take a large iced mocha with oat milk, please.
Um, could I, uh, get two shots of espresso? Hmm.
She's been waiting since half past nine, and he's got no idea.
They'd gone before we'd done anything; you'd think they'd been warned.
I can't, won't, and shouldn't; it ain't right, y'all.
Let's go, 'cause we're gonna be late and I've gotta run.
Ma'am, I dunno what you're kinda, sorta after.
I woulda, coulda, shoulda called. I'ma do it now; imma try.
Dr. Stone met Mrs. Field and Mr. Brook on St. Mark's Rd.
Prof. Hill, Capt. Lake, Gov. Moor, Gen. Dale and Sen. Ford sat down.
Rep. Wood, Pres. Marsh, Rev. Heath and the Hon. Asst. Lt. Col. Vale Jr. Esq. came, too.
[door opens] Hello <unk> there (whispering) you.
An open [bracket and an open (parenthesis.
Empty () and nested ((two)) pairs.
The ninth, nineth, twelfth and twelveth of May.
two and a half years ago
an hour and a half later
and a half is lost at the start
twenty one and a half million
I am one of the ones, and 1 of the 1s.
The nineteen-sixties, the 1960 s, the sixties and '60s.
twenty twenty-four was a leap year
nineteen oh five
one oh one Dalmatians, double oh seven, triple eight, double twelve
My number is five five five, oh one two three, double four nine.
Flight nine one one leaves gate twenty B2 at 6:45 p.m.
It costs $1,234.50, or £12.05, or €7.
five dollars and seven cents, two pounds and fifty cents, $0.99
twenty million dollars and twelve cents
two point five million pounds
$2.5 million, $20 thousand, 3.75 billion euros
ten per cent of a hundred percent is 10%, not 0.1 %
per person, per cent, five per dozen
minus five, negative two point five, plus ten, positive feedback
minus minus five; plus a bit
three point one four one five nine
point taken, point five, point hundred, five point
one hundred and one, one hundred and dogs, five and six
two thousand three hundred million
nine hundred ninety nine thousand nine hundred ninety nine
one million million, one thousand hundred, hundred thousand
zero hundred, zero, zeroth, oh, o
first, second, third, twenty-first, hundred and second, thousandth
the two hundreds, the thousands, millions of ones and sixes
192.168.0.1 and one ninety two point one sixty eight point zero point one
007 and 00 and 0.50 and 3.0 and 12.
The colour of the theatre's grey jewellery was favourable.
He realised the organisation's behaviour, apologised, and travelled.
The archaeology catalogue and the encyclopaedia
state-of-the-art, mother-in-law, rock 'n' roll
It 's odd: she 'll wait, they 've left, I 'm here.
A.I., e.g., i.e., U.S.A., 3.5.
50% off! 5 % off! % off, x% off
$ five, $ 5, 5$, £, €., ¢5, 5¢
$0.5 and $0x5 and $012 and $0123
Naïve café façade: Über Straße, Þór, Łódź, Ærø, œuvre
x² + y² = z², ½ cup, Ⅳ, №5, ℃, ﬁne
Temperature: −5°C / 23°F & rising…
“Curly quotes”, ‘single’ ones, it’s – an em—dash
email@example.com, #hashtag, 100% *bold* _under_score
٣٤ apples, १२३ mangoes, ３ plums, １,２ ５th
"""

BASIC = """
Guten Tag, Frau Müller! Schöne Grüße aus der Straße.
Où est l'hôtel ? C'est à côté, n'est-ce pas ?
¿Dónde está el baño? ¡Ahí! Cuesta 3,50 €.
O pão é ótimo (muito) [ruído] <unk>.
Łódź, Kraków i Gdańsk – piękne miasta.
Привет, как дела? Ёлка зелёная.
Γειά σου Κόσμε· ΟΔΟΣ ΟΔΥΣΣΕΥΣ
İstanbul'da ılık IŞIK
नमस्ते दुनिया, आप कैसे हैं?
வணக்கம் உலகம்
สวัสดีชาวโลก
مرحبا بالعالم، كيف الحال؟
שָׁלוֹם עולם
你好，世界！今天天气很好。
こんにちは、世界。ガギグ ｶﾞｷﾞｸﾞ
안녕하세요, 세계!
Xin chào thế giới, tiếng Việt
100 % ½ ² ™ ℃ ㎏ ﬁ Ⅳ
() [] <> (a] [b) <c] ((d)
tab\tand\x0bnewline\x1cseparator\u00a0space
"""


def spell(n, joint):
    small = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen"
    ).split()
    tens = "twenty thirty forty fifty sixty seventy eighty ninety".split()
    if n < 20:
        return small[n]
    if n < 100:
        return tens[n // 10 - 2] + ("-" + small[n % 10] if n % 10 else "")
    for value, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if n >= value:
            rest = joint + spell(n % value, joint) if n % value else ""
            return f"{spell(n // value, joint)} {name}{rest}"


def english_inputs(rng):
    yield from ENGLISH.strip().splitlines()
    for digits in range(1, 11):
        for joint in (" ", " and "):
            number = rng.randrange(10 ** (digits - 1), 10**digits)
            yield spell(number, joint)
            yield f"It was {spell(number, joint)} dollars, or ${number:,}."
            yield f"{number:,} {spell(rng.randrange(100), ' ')} cents"
    normalizer = EnglishTextNormalizer()
    number_words = sorted(normalizer.standardize_numbers.words)
    for _ in range(200):
        yield " ".join(rng.choice(number_words) for _ in range(rng.randrange(2, 8)))
    junk = " .,'’$¢€£%()[]<>-_0123456789\n\t\x1c\u0301\u200dßÉ²½٣stndx"
    for _ in range(100):
        yield "".join(rng.choice(junk) for _ in range(rng.randrange(1, 24)))


def basic_inputs(rng):
    yield from BASIC.strip("\n").split("\n")
    blocks = ((0x20, 0x250), (0x300, 0x600), (0x900, 0xA00), (0x2000, 0x2200), (0x3040, 0x3100))
    for _ in range(120):
        # Characters not yet assigned could mean something in a later Unicode version.
        block = map(chr, range(*rng.choice(blocks)))
        assigned = [c for c in block if unicodedata.category(c) != "Cn"]
        yield "".join(
            rng.choice((rng.choice(assigned), rng.choice(assigned), " ", "a"))
            for _ in range(rng.randrange(2, 16))
        )


def escape(text):
    def one(index, c):
        if c == "\\":
            return "\\\\"
        inner = 0 < index < len(text) - 1
        if "!" <= c <= "~" or (c == " " and inner) or (ord(c) > 160 and c.isalpha()):
            return c
        return f"\\u{{{ord(c):x}}}"

    return "".join(one(index, c) for index, c in enumerate(text))


def write(name, normalize, inputs):
    lines = dict((text, normalize(text)) for text in inputs)
    with open(FOLDER / name, "w", encoding="utf-8", newline="\n") as file:
        for text, expected in lines.items():
            file.write(f"{escape(text)}\t{escape(expected)}\n")


if __name__ == "__main__":
    write("normalizer_en.tsv", EnglishTextNormalizer(), english_inputs(random.Random(1)))
    write("normalizer_basic.tsv", BasicTextNormalizer(), basic_inputs(random.Random(2)))
