"""An app that reports: it enrols, hears, corrects, sends, and has everything deleted again.

    report.py MODEL_FOLDER DATA_FOLDER SPEECH.s16 URL CODE
"""

import asyncio
import json
import sys

import earwitness


class Listener(earwitness.SessionListener):
    """Throws at the first event, as an app with a bug would; counts the others."""

    def __init__(self):
        self.finals = []
        self.ended = None
        self.thrown = 0

    def on_event(self, event):
        if event.is_SPEECH_STARTED():
            self.thrown += 1
            raise ValueError("an app's bug")
        if event.is_FINAL():
            self.finals.append(event)
        if event.is_ENDED():
            self.ended = event


class Log(earwitness.LogListener):
    def __init__(self):
        self.lines = []

    def on_line(self, level, line):
        self.lines.append((level, line))


async def main(models, data, speech, url, code):
    profile = f'[telemetry]\nurl = "{url}"\n[shadow]\nengine = "tiny.en"\nsample = 1.0\n'
    config = earwitness.RuntimeConfig(
        profile_toml=profile, profile_name="dictation", model_folder=models, data_folder=data
    )
    log = Log()
    earwitness.log_to(earwitness.LogLevel.INFO, log)
    assert not earwitness.is_enrolled(config)
    try:
        await earwitness.open_runtime(config)
        raise AssertionError("a device that nobody knows reports nothing")
    except earwitness.EarwitnessError.Config as error:
        assert "enroll" in str(error), error
    assert await earwitness.enroll(config, code, "py-phone") == "py-phone"
    assert earwitness.is_enrolled(config)
    try:
        await earwitness.enroll(config, code, "another")
        raise AssertionError("a code works once")
    except earwitness.EarwitnessError.Network:
        pass

    runtime = await earwitness.open_runtime(config)
    assert any("no text and no audio" in notice for notice in runtime.notices()), runtime.notices()
    listener = Listener()
    session = runtime.start(earwitness.AudioInput.PUSHED(rate_hz=16000, channels=1, live=False), listener)
    with open(speech, "rb") as file:
        pcm = file.read()
    assert session.push_bytes(pcm) == 0
    try:
        session.push_bytes(b"odd")
        raise AssertionError("half a sample is none")
    except earwitness.EarwitnessError.Audio:
        pass
    summary = await session.finish()
    assert summary.utterances == len(listener.finals) > 0 and not summary.cancelled
    assert listener.thrown > 0 and listener.ended.summary == summary, "the session went on"
    first = listener.finals[0]
    assert first.segments and first.language == "en" and 0 < first.confidence <= 1
    assert json.loads(first.json)["text"] == first.text
    # When nobody listens any more.
    session.feedback(0, "edited", "It was a test.")
    assert (await session.finish()) == summary
    assert runtime.telemetry_status().lost == 0
    await runtime.shut_down(20_000)
    try:
        runtime.start(earwitness.AudioInput.FILE(path=speech), listener)
        raise AssertionError("a runtime that was shut down starts nothing")
    except earwitness.EarwitnessError.Usage:
        pass
    assert any("took" in line for _, line in log.lines), log.lines
    assert any("callback" in line for level, line in log.lines if level == earwitness.LogLevel.ERROR)
    assert not any("best of times" in line for _, line in log.lines)
    print(await earwitness.erase(config))


asyncio.run(main(*sys.argv[1:]))
