#!/usr/bin/env python3
"""Earwitness beside faster-whisper and whisper.cpp: same recordings, same weights, same number of threads.

Every engine has a process of its own, loads the model once and recognizes all recordings greedily, in English. The
engines take turns, round after round, so that a busy moment of the machine falls on all of them.

What is timed: from samples to text, file by file. The peers get samples decoded before the clock starts, and one
recording to warm up that does not count. Earwitness reads and decodes the files within its time, without warm-up.

Needs Linux or macOS, Python 3.11 and an installed model (`earwitness models pull tiny.en`). The peers go into a
virtual environment in the user's cache folder.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import resource
import shlex
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import venv
import wave
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

EPILOG = """examples:
  peers.py recordings/manifest.jsonl
  peers.py a.jsonl b.jsonl --model base --rounds 3 --json results.json
  peers.py a.jsonl --ours earwitness= --ours 'full window=--context full' --ours 'f32=--precision f32'
  peers.py reading.wav --timestamps
  peers.py --plot time-by-length.svg --plot-recording reading.wav

A manifest has one JSON object a line: audio_filepath (relative to the manifest), optionally text and slots."""

REQUIREMENTS = [
    "faster-whisper==1.2.1",
    "ctranslate2==4.8.5",
    "pywhispercpp==1.5.1",
    "whisper-normalizer==0.1.15",
    "jiwer==4.0.0",
    "numpy==2.4.6",
    "matplotlib==3.11.2",
]
OPENAI_REQUIREMENT = "openai-whisper==20250625"

SAMPLE_RATE = 16_000
WINDOW_S = 30
POSITIONS = 1500  # of the encoder in one window
DISTURBED_PERCENT = 5  # of the CPUs: spinning threads that wait for each other suffer far beyond that share
PLOT_LENGTHS_S = [0.5, 1, 2, 4, 6, 8, 12, 16, 20, 25, 29]

# Starts a command and tells its peak memory on stderr. A process inherits the peak of the one that starts it,
# hence this small one in between.
LAUNCHER = """
import os, resource, sys
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print("\\npeak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code if code >= 0 else 128 - code)
"""


class PeersError(Exception):
    """Something that the user can mend; its text says what."""


@dataclass(frozen=True)
class Clip:
    """One recording: the file, and its samples as mono 16 kHz float32."""

    file: Path
    samples: Path
    audio_s: float
    reference: str | None


@dataclass(frozen=True)
class Dataset:
    """The recordings of one table."""

    name: str
    manifest: Path
    clips: list[Clip]

    def is_long(self) -> bool:
        """Whether one window of the model is too short for a recording."""
        return any(clip.audio_s > WINDOW_S for clip in self.clips)


@dataclass(frozen=True)
class Job:
    """What is the same for all engines. `model` is the folder as installed, `ct2` and `ggml` are made from it."""

    model: str
    ct2: str
    ggml: str
    threads: int
    timestamps: bool


@dataclass
class Run:
    """One process of one engine: time and text of every recording."""

    seconds: list[float]
    texts: list[str]
    load_s: float
    about: str
    imports_mib: float | None = None  # peak before the model is loaded, for engines within Python
    peak_mib: float = 0.0
    slots: tuple[int, int] | None = None  # found, of how many
    others_percent: float = 0.0  # of all CPUs, used by other processes meanwhile


Transcribe = Callable[["np.ndarray"], str]
Engine = Callable[[Job, Dataset], Run]


# ---- Environment


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def cache_folder() -> Path:
    """The user's cache folder, as Earwitness finds it."""
    given = os.environ.get("XDG_CACHE_HOME")
    return Path(given) if given else Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def enter_environment(args: argparse.Namespace) -> None:
    """Continue within the environment that has the peers. It is made first, unless the user names one."""
    folder = (args.venv or args.work / "venv").absolute()
    python = folder / "bin" / "python"
    if not args.venv:
        install(folder, REQUIREMENTS + [OPENAI_REQUIREMENT] * args.openai, args.build_whisper_cpp)
    elif not python.exists():
        raise PeersError(f"{folder} is no virtual environment: there is no bin/python")
    if Path(sys.prefix).resolve() != folder.resolve():
        os.execv(python, [str(python), str(Path(__file__).absolute()), *sys.argv[1:]])


def install(folder: Path, packages: list[str], build_whisper_cpp: bool) -> None:
    """Make an environment of these packages, unless it is there."""
    wanted = [*packages, *(["--no-binary", "pywhispercpp", "--no-cache-dir"] if build_whisper_cpp else [])]
    stamp = folder / "installed.txt"
    if stamp.exists() and stamp.read_text() == " ".join(wanted):
        return
    say(f"installing the peers into {folder}, once")
    venv.create(folder, with_pip=True, clear=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # If pywhispercpp is compiled: as one library, for it does not find its parts where pip puts them.
    one_library = {"BUILD_SHARED_LIBS": "OFF", "CMAKE_POSITION_INDEPENDENT_CODE": "ON"}
    if subprocess.run([*pip, *wanted], stdout=sys.stderr, env=os.environ | one_library).returncode != 0:
        raise PeersError("pip could not install the peers, see above")
    stamp.write_text(" ".join(wanted))


# ---- Weights: every engine gets those of the installed model


def find_model(name: str) -> Path:
    """The folder of an installed model, or the folder given."""
    store = Path(os.environ.get("EARWITNESS_MODELS") or cache_folder() / "earwitness" / "models")
    for folder in (Path(name), store / name):
        if all((folder / file).is_file() for file in ("model.bin", "config.json", "tokenizer.json")):
            return folder.resolve()
    raise PeersError(f"no CTranslate2 model {name} is installed: earwitness models pull {name}")


def read_ctranslate2(file: Path) -> dict[str, np.ndarray]:
    """The tensors of a CTranslate2 model.bin in float32."""
    import numpy as np

    with open(file, "rb") as source:

        def number(kind: str) -> int:
            return struct.unpack("<" + kind, source.read(struct.calcsize(kind)))[0]

        def text() -> str:
            return source.read(number("H"))[:-1].decode()

        number("I"), text(), number("I")  # version of the format; name and version of the specification
        tensors = {}
        for _ in range(number("I")):
            name, shape = text(), [number("I") for _ in range(number("B"))]
            dtype, data = {0: np.float32, 4: np.float16}.get(number("B")), source.read(number("I"))
            if shape and not dtype:
                raise PeersError(f"{file} has weights that are neither float16 nor float32")
            if shape:
                tensors[name] = np.frombuffer(data, dtype).reshape(shape).astype(np.float32)
    return tensors


def count_layers(tensors: dict[str, np.ndarray], side: str) -> int:
    """How many layers the encoder or decoder has, in CTranslate2's names or in OpenAI's."""
    ends = ("/ffn/linear_0/bias", ".mlp.0.bias")
    return sum(name.startswith(side) and name.endswith(ends) for name in tensors)


def openai_tensors(model: Path) -> dict[str, np.ndarray]:
    """The weights by the names of OpenAI's checkpoints, which ggml files have as well."""
    import numpy as np

    source = read_ctranslate2(model / "model.bin")
    tensors = {"decoder.token_embedding.weight": source["decoder/embeddings/weight"]}

    def linear(target: str, origin: str) -> None:
        tensors[f"{target}.weight"] = source[f"{origin}/weight"]
        tensors[f"{target}.bias"] = source[f"{origin}/bias"]

    def norm(target: str, origin: str) -> None:
        tensors[f"{target}.weight"] = source[f"{origin}/layer_norm/gamma"]
        tensors[f"{target}.bias"] = source[f"{origin}/layer_norm/beta"]

    def attention(target: str, origin: str, joined: int) -> None:
        """Query, key and value are one matrix, or two where the keys are those of the audio."""
        norm(f"{target}_ln", origin)
        for kind in ("weight", "bias"):
            whole = np.concatenate([source[f"{origin}/linear_{i}/{kind}"] for i in range(joined)])
            for role, part in zip(("query", "key", "value"), np.split(whole, 3)):
                tensors[f"{target}.{role}.{kind}"] = part
        del tensors[f"{target}.key.bias"]  # always zero
        linear(f"{target}.out", f"{origin}/linear_{joined}")

    linear("encoder.conv1", "encoder/conv1")
    linear("encoder.conv2", "encoder/conv2")
    for side, last_norm in (("encoder", "ln_post"), ("decoder", "ln")):
        tensors[f"{side}.positional_embedding"] = source[f"{side}/position_encodings/encodings"]
        norm(f"{side}.{last_norm}", side)
        for layer in range(count_layers(source, side)):
            target, origin = f"{side}.blocks.{layer}", f"{side}/layer_{layer}"
            attention(f"{target}.attn", f"{origin}/self_attention", joined=1)
            if side == "decoder":
                attention(f"{target}.cross_attn", f"{origin}/attention", joined=2)
            norm(f"{target}.mlp_ln", f"{origin}/ffn")
            linear(f"{target}.mlp.0", f"{origin}/ffn/linear_0")
            linear(f"{target}.mlp.2", f"{origin}/ffn/linear_1")
    return tensors


def dimensions(tensors: dict[str, np.ndarray]) -> list[int]:
    """Sizes of a model in the order of OpenAI's ModelDimensions. Heads are 64 wide in all models."""
    width, mels, _ = tensors["encoder.conv1.weight"].shape
    vocabulary = len(tensors["decoder.token_embedding.weight"])
    encoder, decoder = (
        [len(tensors[f"{side}.positional_embedding"]), width, width // 64, count_layers(tensors, side)]
        for side in ("encoder", "decoder")
    )
    return [mels, *encoder, vocabulary, *decoder]


def quantize_q8_0(tensor: np.ndarray) -> bytes:
    """ggml's q8_0: blocks of 32 values, each a float16 scale and 32 signed bytes."""
    import numpy as np

    values = tensor.reshape(-1, 32)
    scales = np.abs(values).max(axis=1, keepdims=True) / np.float32(127)
    blocks = np.empty(len(values), dtype=[("scale", "<f2"), ("values", "i1", 32)])
    blocks["scale"] = scales[:, 0]
    blocks["values"] = np.rint(values / np.where(scales > 0, scales, 1))
    return blocks.tobytes()


def write_ggml(model: Path, words: list[bytes], target: Path) -> None:
    """What whisper.cpp's own `quantize` gives: matrices in q8_0, convolutions in float16, the rest in float32."""
    import numpy as np
    from faster_whisper.feature_extractor import FeatureExtractor

    tensors = openai_tensors(model)
    mels, *encoder, vocabulary, text, width, heads, layers = dimensions(tensors)
    filters = FeatureExtractor(feature_size=mels).mel_filters.astype(np.float32)
    magic, file_type, f32, f16, q8_0 = 0x67676D6C, 2007, 0, 1, 8

    def numbers(*values: int) -> bytes:
        return struct.pack(f"<{len(values)}i", *values)

    with open(target, "wb") as out:
        out.write(numbers(magic, vocabulary, *encoder, text, width, heads, layers, mels, file_type))
        out.write(numbers(*filters.shape) + filters.tobytes())
        out.write(numbers(len(words)) + b"".join(numbers(len(word)) + word for word in words))
        for name, tensor in tensors.items():
            shape = tensor.shape[::-1]
            if name.endswith(".weight") and tensor.ndim == 2:
                kind, data = q8_0, quantize_q8_0(tensor)
            elif tensor.ndim == 3:
                kind, data = f16, tensor.astype(np.float16).tobytes()
            else:
                kind, data = f32, tensor.tobytes()
            if name in ("encoder.conv1.bias", "encoder.conv2.bias"):
                shape = (1, *shape)
            out.write(numbers(len(shape), len(name), kind, *shape) + name.encode() + data)


def prepare_weights(model: Path, work: Path) -> tuple[str, str]:
    """The model as a folder for CTranslate2 and as a q8_0 file for whisper.cpp, made on first use."""
    folder = work / f"{model.name}-{(model / 'model.bin').stat().st_size}"
    ggml = folder / "ggml-q8_0.bin"
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("model.bin", "config.json", "tokenizer.json"):
        (folder / file).unlink(missing_ok=True)
        (folder / file).symlink_to(model / file)
    if ggml.exists():
        return str(folder), str(ggml)
    say(f"converting {model.name} for the peers, once")
    tokenizer = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    texts = tokenizer["model"]["vocab"] | special
    tokens = [text for text, _ in sorted(texts.items(), key=lambda item: item[1])]
    tokens += [f"<|{i * 0.02:.2f}|>" for i in range(1501)]  # times are not in every tokenizer.json
    (folder / "vocabulary.json").write_text(json.dumps(list(dict.fromkeys(tokens))), encoding="utf-8")
    # A token is written in letters that stand for bytes: printable ones for themselves, the others from U+0100 on.
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    byte_of = {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}
    words = [bytes(byte_of[letter] for letter in token) for token in tokens[: special["<|endoftext|>"]]]
    write_ggml(model, words, ggml.with_suffix(".part"))
    ggml.with_suffix(".part").replace(ggml)
    return str(folder), str(ggml)


# ---- Engines


def load_faster_whisper(job: Job, compute_type: str) -> tuple[Transcribe, str]:
    import ctranslate2
    from faster_whisper import WhisperModel

    model = WhisperModel(job.ct2, device="cpu", compute_type=compute_type, cpu_threads=job.threads)
    options = {"language": "en", "beam_size": 1, "temperature": 0, "condition_on_previous_text": False}

    def transcribe(samples: np.ndarray) -> str:
        segments, _ = model.transcribe(samples, **options, without_timestamps=not job.timestamps)
        return " ".join(segment.text.strip() for segment in segments)

    return transcribe, f"CTranslate2 {ctranslate2.__version__}"


def load_whisper_cpp(job: Job, cut: bool) -> tuple[Transcribe, str]:
    import _pywhispercpp
    from pywhispercpp.model import Model

    options: dict[str, Any] = {"temperature": 0.0, "temperature_inc": 0.0, "no_context": True, "n_max_text_ctx": 0}
    options |= dict.fromkeys(("no_timestamps", "single_segment"), not job.timestamps)
    options |= dict.fromkeys(("print_progress", "print_realtime", "print_timestamps", "print_special"), False)
    model = Model(job.ggml, n_threads=job.threads, language="en", **options)

    def transcribe(samples: np.ndarray) -> str:
        window = cut_window(len(samples) / SAMPLE_RATE) if cut else POSITIONS
        return " ".join(segment.text for segment in model.transcribe(samples, audio_ctx=window))

    return transcribe, _pywhispercpp.whisper_print_system_info()


def cut_window(audio_s: float) -> int:
    """Encoder positions for a recording: its own, 4 s more, up to the next multiple of 256."""
    wanted = round((audio_s + 4) * POSITIONS / WINDOW_S)
    return min(-(-wanted // 256) * 256, POSITIONS)


def load_openai_whisper(job: Job) -> tuple[Transcribe, str]:
    import torch
    from whisper.model import ModelDimensions, Whisper

    torch.set_num_threads(job.threads)
    tensors = openai_tensors(Path(job.model))
    model = Whisper(ModelDimensions(*dimensions(tensors)))
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    options = {"language": "en", "temperature": 0, "condition_on_previous_text": False, "fp16": False}

    def transcribe(samples: np.ndarray) -> str:
        return model.transcribe(samples, **options, without_timestamps=not job.timestamps)["text"].strip()

    return transcribe, f"PyTorch {torch.__version__}"


# Name in the tables: the module that is imported before the clock of loading starts, and what loads the model.
PEERS: dict[str, tuple[str, Callable[[Job], tuple[Transcribe, str]]]] = {
    "faster-whisper int8": ("faster_whisper", lambda job: load_faster_whisper(job, "int8")),
    "faster-whisper float32": ("faster_whisper", lambda job: load_faster_whisper(job, "float32")),
    "whisper.cpp q8_0": ("pywhispercpp.model", lambda job: load_whisper_cpp(job, cut=False)),
    "whisper.cpp q8_0 cut": ("pywhispercpp.model", lambda job: load_whisper_cpp(job, cut=True)),
    "openai-whisper float32": ("whisper", load_openai_whisper),
}
BEST_OF = ("faster-whisper int8", "whisper.cpp q8_0")
CUT = "whisper.cpp q8_0 cut"


def run_peer(name: str, job: Job, files: list[str]) -> Run:
    """What the process of a peer does."""
    import numpy as np

    module, load = PEERS[name]
    importlib.import_module(module)
    imports_mib = mib(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    begin = time.perf_counter()
    transcribe, about = load(job)
    run = Run([], [], time.perf_counter() - begin, about, imports_mib)
    transcribe(np.load(files[0]))
    for file in files:
        samples = np.load(file)
        begin = time.perf_counter()
        run.texts.append(transcribe(samples))
        run.seconds.append(time.perf_counter() - begin)
    return run


def mib(ru_maxrss: int) -> float:
    return ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)  # Apple counts bytes, the others KiB


def launch(name: str, command: Sequence[str], text: str = "") -> tuple[dict[str, Any], float]:
    """The JSON object that a command prints last, and its peak memory in MiB."""
    launcher = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
    done = subprocess.run(launcher, input=text, capture_output=True, text=True, errors="replace")
    messages, _, peak = done.stderr.rpartition("\npeak ")
    if done.returncode != 0:
        raise PeersError(f"{name} ended with code {done.returncode}:\n{(messages or done.stderr)[-1000:].strip()}")
    return json.loads(done.stdout.splitlines()[-1]), mib(int(peak))


def peer(name: str) -> Engine:
    """One of PEERS as an engine."""

    def run(job: Job, dataset: Dataset) -> Run:
        task = {"name": name, "job": asdict(job), "files": [str(clip.samples) for clip in dataset.clips]}
        command = [sys.executable, str(Path(__file__).absolute()), "--run-peer"]
        answer, peak_mib = launch(name, command, json.dumps(task))
        return Run(**answer | {"peak_mib": peak_mib})

    return run


def earwitness(name: str, program: Path, extra: Sequence[str]) -> Engine:
    """Earwitness with further arguments as an engine."""

    def run(job: Job, dataset: Dataset) -> Run:
        command = [str(program), "evaluate", str(dataset.manifest), "--json", "--model", job.model]
        command += ["--threads", str(job.threads), "--temperature", "0"]
        command += ["--no-timestamps"] * (not job.timestamps) + ["--vad"] * dataset.is_long()
        report, peak_mib = launch(name, [*command, *extra])
        seconds, texts = ([file[key] for file in report["files"]] for key in ("processing_s", "text"))
        slots = (report["slots_found"], report["slots_total"]) if report["slots_total"] else None
        return Run(seconds, texts, report["load_s"], report.get("engine", ""), None, peak_mib, slots)

    return run


def choose_engines(args: argparse.Namespace) -> dict[str, Engine]:
    """The engines by their names in the tables, ours first."""
    engines = {}
    for variant in args.ours or ["earwitness="]:
        name, equals, extra = variant.partition("=")
        if not (name and equals) or name in engines or name in PEERS:
            raise PeersError(f"--ours takes NAME=ARGS with a new name, not {variant!r}")
        engines[name] = earwitness(name, args.earwitness, shlex.split(extra))
    peers = [name for name in PEERS if args.openai or not name.startswith("openai")]
    return engines | {name: peer(name) for name in peers if name not in args.without}


# ---- Recordings


def save_samples(file: Path, target: Path) -> float:
    """Decode a recording to mono 16 kHz float32, as faster-whisper does; its length in seconds."""
    import numpy as np
    from av import FFmpegError
    from faster_whisper import decode_audio

    try:
        samples = decode_audio(str(file), SAMPLE_RATE)
    except (OSError, FFmpegError) as error:
        raise PeersError(f"{file} cannot be read as audio") from error
    np.save(target, samples)
    return len(samples) / SAMPLE_RATE


def open_dataset(path: Path, scratch: Path) -> Dataset:
    """A manifest, or one recording as a manifest of one row. The samples go to `scratch`."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    manifest = path
    if path.suffix != ".jsonl":
        manifest = folder / "manifest.jsonl"
        manifest.write_text(json.dumps({"audio_filepath": str(path.absolute())}), encoding="utf-8")
    clips: list[Clip] = []
    for line in filter(str.strip, manifest.read_text(encoding="utf-8").splitlines()):
        try:
            row = json.loads(line)
            file, samples = manifest.parent / row["audio_filepath"], folder / f"{len(clips)}.npy"
        except (ValueError, KeyError, TypeError) as error:
            raise PeersError(f"{manifest} has a line without audio_filepath: {line[:60]}") from error
        clips.append(Clip(file, samples, save_samples(file, samples), row.get("text")))
    if not clips:
        raise PeersError(f"{manifest} is empty")
    return Dataset(f"{path.resolve().parent.name}/{path.name}", manifest, clips)


def cut_recording(recording: Path, lengths: Sequence[float], scratch: Path) -> Dataset:
    """Beginnings of a recording. One comes first, twice, for engines that do not warm up by themselves."""
    import numpy as np

    folder = scratch / f"beginnings of {recording.stem}"
    folder.mkdir()
    whole = folder / "whole.npy"
    audio_s = save_samples(recording, whole)
    pcm = (np.load(whole) * 32767).astype("<i2")
    lengths = [length for length in sorted(lengths) if 0 < length <= audio_s]
    if not lengths:
        raise PeersError(f"{recording} is shorter than every length of the plot")
    rows = []
    for length in [lengths[len(lengths) // 2], *lengths]:
        with wave.open(str(folder / f"{length:g}s.wav"), "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            file.writeframes(pcm[: round(length * SAMPLE_RATE)].tobytes())
        rows.append(json.dumps({"audio_filepath": f"{length:g}s.wav"}) + "\n")
    (folder / "manifest.jsonl").write_text("".join(rows), encoding="utf-8")
    return open_dataset(folder / "manifest.jsonl", scratch)


# ---- Results


def measure(
    engines: dict[str, Engine], job: Job, dataset: Dataset, rounds: int, retries: int
) -> dict[str, list[Run]]:
    """Run all engines in turn, `rounds` times; each round begins with another one. Disturbed runs are repeated."""
    runs: dict[str, list[Run]] = {name: [] for name in engines}
    names = list(engines)
    for number in range(rounds):
        for name in names:
            tries: list[Run] = []
            while len(tries) <= retries and (not tries or tries[-1].others_percent > DISTURBED_PERCENT):
                run = watched(engines[name], job, dataset)
                tries.append(run)
                figures = f"{sum(run.seconds):.2f} s, others took {run.others_percent:.0f} % of the CPUs"
                say(f"{dataset.name}, round {number + 1} of {rounds}: {name} {figures}")
            runs[name].append(min(tries, key=lambda run: run.others_percent))
        names.append(names.pop(0))
    return runs


def watched(engine: Engine, job: Job, dataset: Dataset) -> Run:
    """Run an engine and note what other processes took of the CPUs meanwhile."""
    begin, begin_others = time.monotonic(), others_cpu_s()
    run = engine(job, dataset)
    cpu_s = (time.monotonic() - begin) * (os.cpu_count() or 1)
    run.others_percent = 100 * max(0.0, others_cpu_s() - begin_others) / cpu_s
    return run


def others_cpu_s() -> float:
    """CPU time that all but this process and its children have had, the host included; 0 outside Linux."""
    if not Path("/proc/stat").exists():
        return 0
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split(None, 9)[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def word_error_rate(clips: Sequence[Clip], texts: Sequence[str]) -> float | None:
    """Errors in all recordings that have a text, in percent of the words of those texts."""
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    normalize = EnglishTextNormalizer()
    pairs = [(normalize(clip.reference or ""), normalize(text)) for clip, text in zip(clips, texts)]
    pairs = [(reference, text) for reference, text in pairs if reference]
    references, heard = ([pair[side] for pair in pairs] for side in (0, 1))
    return 100 * jiwer.wer(references, heard) if pairs else None


def summarize(dataset: Dataset, runs: dict[str, list[Run]]) -> list[dict[str, Any]]:
    """One row for each engine."""
    totals = {name: [sum(run.seconds) for run in own] for name, own in runs.items()}
    medians = {name: statistics.median(own) for name, own in totals.items()}
    best, cut = min((medians[name] for name in BEST_OF if name in medians), default=None), medians.get(CUT)
    rows = []
    for name, own in runs.items():
        peak, imports, texts = max(run.peak_mib for run in own), own[-1].imports_mib, own[-1].texts
        seconds = [statistics.median(times) for times in zip(*(run.seconds for run in own))]
        rows.append({
            "engine": name,
            "processing_s": medians[name],
            "min_s": min(totals[name]),
            "max_s": max(totals[name]),
            "rtf": medians[name] / sum(clip.audio_s for clip in dataset.clips),
            "to_best_peer": best and medians[name] / best,
            "to_cut_window": cut and medians[name] / cut,
            "wer_percent": word_error_rate(dataset.clips, texts),
            "slots": own[-1].slots,
            "load_s": statistics.median(run.load_s for run in own),
            "peak_mib": peak,
            "peak_without_imports_mib": imports and peak - imports,
            "others_percent": max(run.others_percent for run in own),
            "about": own[-1].about,
            "totals_s": totals[name],
            "files": [
                {"file": clip.file.name, "audio_s": clip.audio_s, "processing_s": time_s, "text": text}
                for clip, time_s, text in zip(dataset.clips, seconds, texts)
            ],
        })
    return rows


COLUMNS = {  # heading: key of the row, form
    "engine": ("engine", "{}"),
    "time s": ("processing_s", "{:.2f}"),
    "min": ("min_s", "{:.2f}"),
    "max": ("max_s", "{:.2f}"),
    "RTF": ("rtf", "{:.4f}"),
    "/best": ("to_best_peer", "{:.2f}"),
    "/cut": ("to_cut_window", "{:.2f}"),
    "WER %": ("wer_percent", "{:.2f}"),
    "slots": ("slots", "{0[0]}/{0[1]}"),
    "load s": ("load_s", "{:.2f}"),
    "peak MiB": ("peak_mib", "{:.0f}"),
    "-imports": ("peak_without_imports_mib", "{:.0f}"),
    "others %": ("others_percent", "{:.0f}"),
}


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as aligned text; a dash is for what is not known of an engine."""

    def cell(value: Any, form: str) -> str:
        return "-" if value is None else form.format(value)

    cells = [list(COLUMNS), *([cell(row[key], form) for key, form in COLUMNS.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    aligned = ([text.rjust(width) for text, width in zip(line, widths)] for line in cells)
    return "\n".join("  ".join([line[0].strip().ljust(widths[0]), *line[1:]]) for line in aligned)


LEGEND = """time: median of the rounds; /best: over the faster of faster-whisper int8 and whisper.cpp q8_0;
/cut: over whisper.cpp with its window cut to the recording; -imports: peak memory less that of Python before it
loads; others: the most that other processes took of the CPUs (above a few percent, do not trust the figures)"""


def plot(lengths: Sequence[float], times: dict[str, list[float]], title: str, target: Path) -> None:
    """Time against length as SVG; the same numbers give the same file."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "earwitness", "svg.fonttype": "none"}):
        figure = Figure(figsize=(7.2, 4.4), layout="constrained")
        axes = figure.add_subplot(title=title, xlabel="length of the recording (s)", ylabel="processing time (s)")
        for name, seconds in times.items():
            axes.plot(lengths, seconds, label=name, marker=".", linewidth=1.3 if name in PEERS else 2.6)
        axes.set(xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
        figure.savefig(target, format="svg", metadata={"Date": None})


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    cpu = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    return {"cpu": cpu, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"}


# ---- Command line


def parse_arguments() -> argparse.Namespace:
    program = Path(__file__).resolve().parents[1] / "target" / "release" / "earwitness"
    work = cache_folder() / "earwitness-peers"
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("recordings", nargs="*", type=Path, metavar="FILE", help="a manifest (.jsonl) or a recording (wav, flac)")
    add("--model", default="tiny.en", help="installed model or CTranslate2 folder [%(default)s]")
    add("--earwitness", type=Path, default=program, metavar="PATH", help="program [target/release/earwitness]")
    add("--ours", action="append", metavar="NAME=ARGS", help="a line of Earwitness with more arguments; repeat")
    add("--without", action="append", default=[], choices=PEERS, metavar="ENGINE", help="leave a peer out; repeat")
    add("--openai", action="store_true", help="openai-whisper as well (its PyTorch is a big download)")
    add("--threads", default=2, type=int, metavar="N", help="threads of every engine [%(default)s]")
    add("--rounds", default=5, type=int, metavar="N", help="runs of every engine [%(default)s; plot: 3]")
    add("--retries", default=2, type=int, metavar="N", help="of runs that other processes disturbed [%(default)s]")
    add("--timestamps", action="store_true", help="all engines place times; for recordings over 30 s")
    add("--json", type=Path, metavar="FILE", help="write everything that was measured")
    add("--plot", type=Path, metavar="FILE.svg", help="draw time against length")
    add("--plot-recording", type=Path, metavar="FILE", help="the reading whose beginnings the plot is made of")
    add("--plot-lengths", nargs="+", type=float, default=PLOT_LENGTHS_S, metavar="S", help="seconds [0.5 ... 29]")
    add("--work", type=Path, default=work, metavar="DIR", help="for environment and weights [%(default)s]")
    add("--venv", type=Path, metavar="DIR", help="use this environment as it is")
    add("--build-whisper-cpp", action="store_true", help="compile it for this machine: the package stops at AVX2")
    args = parser.parse_args()
    if not (args.recordings or args.plot):
        parser.error("name a manifest or a recording, or --plot")
    if bool(args.plot) != bool(args.plot_recording):
        parser.error("--plot and --plot-recording belong together")
    if min(args.threads, args.rounds, args.retries + 1) < 1:
        parser.error("--threads and --rounds are at least 1, --retries at least 0")
    return args


def compare(args: argparse.Namespace) -> None:
    """Measure, print and write what was asked for."""
    engines, model, work = choose_engines(args), find_model(args.model), args.work.resolve()
    job = Job(str(model), *prepare_weights(model, work), args.threads, args.timestamps)
    conditions = f"{model.name}, {args.threads} threads"
    written: dict[str, Any] = {
        "machine": machine(), "model": model.name, "threads": args.threads, "timestamps": args.timestamps,
        "rounds": args.rounds, "packages": REQUIREMENTS, "tables": [],
    }
    with tempfile.TemporaryDirectory(prefix="run-", dir=work) as folder:
        scratch = Path(folder)
        datasets = [open_dataset(path, scratch) for path in args.recordings]
        cuts = cut_recording(args.plot_recording, args.plot_lengths, scratch) if args.plot else None
        for dataset in datasets:
            rows = summarize(dataset, measure(engines, job, dataset, args.rounds, args.retries))
            audio_s = sum(clip.audio_s for clip in dataset.clips)
            print(f"{dataset.name}: {len(dataset.clips)} recordings, {audio_s:.1f} s; {conditions}")
            print(table(rows), end="\n\n", flush=True)
            written["tables"].append({"name": dataset.name, "audio_s": audio_s, "engines": rows})
        if datasets:
            print(LEGEND)
        if cuts:
            runs = measure(engines, job, cuts, min(args.rounds, 3), args.retries)
            each = {name: zip(*(run.seconds[1:] for run in own)) for name, own in runs.items()}
            times = {name: [statistics.median(rounds) for rounds in lengths] for name, lengths in each.items()}
            lengths_s = [clip.audio_s for clip in cuts.clips[1:]]
            plot(lengths_s, times, f"Time by length: {conditions}", args.plot)
            others = {name: max(run.others_percent for run in own) for name, own in runs.items()}
            written["by_length"] = {"audio_s": lengths_s, "processing_s": times, "others_percent": others}
    if args.json:
        args.json.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    if sys.argv[1:] == ["--run-peer"]:
        task = json.load(sys.stdin)
        print("\n" + json.dumps(asdict(run_peer(task["name"], Job(**task["job"]), task["files"]))))
        return
    args = parse_arguments()
    try:
        program = shutil.which(args.earwitness)
        if program is None:
            raise PeersError(f"there is no program {args.earwitness} (cargo build --release --locked)")
        args.earwitness = Path(program).absolute()
        for path in [find_model(args.model), *args.recordings, *filter(None, [args.plot_recording])]:
            if not path.exists():
                raise PeersError(f"there is no file {path}")
        enter_environment(args)
        compare(args)
    except PeersError as error:
        say(f"peers: {error}")
        sys.exit(2)
    except ModuleNotFoundError as error:
        say(f"peers: the environment lacks {error.name}")
        sys.exit(2)


if __name__ == "__main__":
    main()
