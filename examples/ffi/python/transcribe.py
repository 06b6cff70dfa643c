"""Transcribes a recording, then hears the same speech as a live stream of buffers.

    cargo build --release -p earwitness-ffi
    cargo run -p uniffi-bindgen -- generate target/release/libearwitness_ffi.so --language python --out-dir bindings
    cp target/release/libearwitness_ffi.so bindings/
    PYTHONPATH=bindings python3 examples/ffi/python/transcribe.py MODEL_FOLDER RECORDING.wav SPEECH.s16

SPEECH.s16 is raw, 16 bit, mono, 16 kHz.
"""

import asyncio
import sys

import earwitness


class Listener(earwitness.SessionListener):
    """Prints what the session tells, from the session's thread."""

    def __init__(self, name):
        self.name = name

    def on_event(self, event):
        if event.is_PARTIAL():
            print(self.name, "partial", event.text, flush=True)
        elif event.is_FINAL():
            print(self.name, "final", event.text, flush=True)
        elif event.is_NOTICE():
            print(event.text, file=sys.stderr)
        elif event.is_ENDED():
            print(self.name, "ended", event.error or ("cancelled" if event.summary.cancelled else "well"), flush=True)


async def main(models, recording, speech, cancel_after_s=1e9):
    runtime = await earwitness.open_runtime(earwitness.RuntimeConfig(model_folder=models))

    session = runtime.start(earwitness.AudioInput.FILE(path=recording), Listener("file"))
    await session.finish()

    live = earwitness.AudioInput.PUSHED(rate_hz=16000, channels=1, live=True)
    session = runtime.start(live, Listener("live"))
    with open(speech, "rb") as file:
        while buffer := file.read(640):
            lost = session.push_bytes(buffer)
            if lost:
                print(lost, "frames lost", file=sys.stderr)
            await asyncio.sleep(0.02)
            if file.tell() / 32000 > float(cancel_after_s):
                session.cancel()
                break
    await session.finish()
    await runtime.shut_down(0)


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(f"usage: {sys.argv[0]} MODEL_FOLDER RECORDING SPEECH.s16 [CANCEL_AFTER_S]")
    try:
        asyncio.run(main(*sys.argv[1:]))
    except earwitness.EarwitnessError as error:
        sys.exit(str(error))
