"""The published clients against a running server.

official.py CHECK HTTP_BASE WYOMING_PORT WAV EXPECTED_TEXT [TOKEN]

WAV is 16 kHz mono. Ends with 0 if all is as it should be; otherwise the assertion tells what is not.
"""

import asyncio
import base64
import re
import sys
import wave


def words(text):
    return re.sub(r"[^a-z ]", "", text.lower().replace("\n", " ")).split()


def same(text, expected):
    """A few words may differ where the audio is cut elsewhere."""
    import difflib

    ratio = difflib.SequenceMatcher(None, words(text), words(expected)).ratio()
    assert ratio > 0.9, f"{ratio:.2f}: {text!r}"


def pcm(wav):
    with wave.open(wav) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        return file.readframes(file.getnframes())


def client(base, token):
    import openai

    return openai.OpenAI(base_url=base, api_key=token, max_retries=0, timeout=120)


def formats(base, _port, wav, expected, token):
    api = client(base, token)
    names = [model.id for model in api.models.list()]
    assert names == ["tiny.en"], names
    assert api.models.retrieve("tiny.en").id == "tiny.en"

    def ask(**more):
        with open(wav, "rb") as file:
            return api.audio.transcriptions.create(file=file, model="tiny.en", **more)

    same(ask().text, expected)
    same(ask(response_format="json", language="en", temperature=0, prompt="Dickens").text, expected)
    same(ask(response_format="text"), expected)
    srt = ask(response_format="srt")
    assert re.match(r"1\n\d\d:\d\d:\d\d,\d{3} --> \d\d:\d\d:\d\d,\d{3}\n", srt), srt[:80]
    vtt = ask(response_format="vtt")
    assert re.match(r"WEBVTT\n\n\d\d:\d\d:\d\d\.\d{3} --> ", vtt), vtt[:80]
    verbose = ask(response_format="verbose_json")
    same(verbose.text, expected)
    assert verbose.language == "english" and verbose.words is None
    seconds = len(pcm(wav)) / 32000
    assert abs(verbose.duration - seconds) < 0.1, verbose.duration
    assert all(0 <= s.start < s.end <= seconds + 0.5 for s in verbose.segments)
    assert [s.id for s in verbose.segments] == list(range(len(verbose.segments)))
    both = ask(response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert both.segments and words(" ".join(w.word for w in both.words)) == words(both.text)
    starts = [w.start for w in both.words]
    assert starts == sorted(starts) and both.words[-1].end <= seconds + 0.5
    only = ask(response_format="verbose_json", timestamp_granularities=["word"])
    assert only.segments is None and only.words


def stream(base, _port, wav, expected, token):
    api = client(base, token)
    with open(wav, "rb") as file:
        events = list(api.audio.transcriptions.create(file=file, model="tiny.en", stream=True))
    deltas = [e.delta for e in events if e.type == "transcript.text.delta"]
    assert events[-1].type == "transcript.text.done" and len(deltas) > 1
    assert "".join(deltas) == events[-1].text
    assert events[-1].usage.type == "duration"
    same(events[-1].text, expected)


def refusals(base, _port, wav, _expected, token):
    import openai

    api = client(base, token)

    def refused(kind, file, **more):
        try:
            api.audio.transcriptions.create(file=file, **{"model": "tiny.en", **more})
        except kind as error:
            return error
        raise AssertionError(f"not refused: {more}")

    with open(wav, "rb") as file:
        audio = file.read()
    error = refused(openai.NotFoundError, ("a.wav", audio), model="large-v9")
    assert error.code == "model_not_found", error.body
    error = refused(openai.BadRequestError, ("a.wav", b"this is no audio"))
    assert error.param == "file", error.body
    refused(openai.BadRequestError, ("a.wav", b""))
    refused(openai.BadRequestError, ("a.wav", audio), response_format="diarized_json")
    refused(openai.BadRequestError, ("a.wav", audio), language="xx")
    refused(openai.BadRequestError, ("a.wav", audio), language="de")
    refused(openai.BadRequestError, ("a.wav", b"nothing"), stream=True)
    try:
        api.audio.translations.create(file=("a.wav", audio), model="tiny.en")
        raise AssertionError("an English model translated")
    except openai.BadRequestError:
        pass
    stranger = client(base, "wrong-token")
    try:
        stranger.models.list()
        assert token == "none", "a wrong token was accepted"
    except openai.AuthenticationError as error:
        assert token != "none" and error.code == "invalid_api_key"


def realtime(base, _port, wav, expected, token):
    api = client(base, token)
    audio = pcm(wav)

    def talk(turn_detection, commit):
        session = {
            "type": "transcription",
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 16000},
                    "transcription": {"model": "tiny.en", "language": "en"},
                    "turn_detection": turn_detection,
                }
            },
        }
        texts, kinds, open_items = [], [], set()
        with api.realtime.connect(extra_query={"intent": "transcription"}) as connection:
            connection.session.update(session=session)
            for at in range(0, len(audio), 32000):
                piece = base64.b64encode(audio[at : at + 32000]).decode()
                connection.input_audio_buffer.append(audio=piece)
            connection.input_audio_buffer.commit()
            # An answer to this comes after all that came before.
            connection.session.update(session={"type": "transcription"})
            updates = 0
            for event in connection:
                kinds.append(event.type)
                assert event.type != "error", event
                updates += event.type == "session.updated"
                if event.type == "input_audio_buffer.committed":
                    open_items.add(event.item_id)
                if event.type.endswith("input_audio_transcription.completed"):
                    open_items.remove(event.item_id)
                    texts.append(event.transcript)
                if updates == 2 and not open_items:
                    break
        return " ".join(texts), kinds

    text, kinds = talk(None, True)
    same(text, expected)
    assert kinds[:2] == ["session.created", "session.updated"], kinds
    assert "input_audio_buffer.speech_started" not in kinds
    text, kinds = talk({"type": "server_vad", "silence_duration_ms": 400}, True)
    same(text, expected)
    assert kinds.count("input_audio_buffer.speech_started") == kinds.count("input_audio_buffer.committed") > 1


def wyoming(_base, port, wav, expected, _token):
    from wyoming.asr import Transcribe, Transcript, TranscriptChunk, TranscriptStart, TranscriptStop
    from wyoming.audio import AudioChunk, AudioStart, AudioStop
    from wyoming.client import AsyncTcpClient
    from wyoming.error import Error
    from wyoming.info import Describe, Info
    from wyoming.ping import Ping, Pong

    audio = pcm(wav)
    form = {"rate": 16000, "width": 2, "channels": 1}

    async def recording(connection, **more):
        await connection.write_event(Transcribe(**more).event())
        await connection.write_event(AudioStart(**form).event())
        for at in range(0, len(audio), 4096):
            await connection.write_event(AudioChunk(audio=audio[at : at + 4096], **form).event())
        await connection.write_event(AudioStop().event())
        kinds, pieces = [], []
        while True:
            event = await connection.read_event()
            kinds.append(event.type)
            if TranscriptChunk.is_type(event.type):
                pieces.append(TranscriptChunk.from_event(event).text)
            if Transcript.is_type(event.type):
                text = Transcript.from_event(event).text
            if TranscriptStop.is_type(event.type):
                break
        assert kinds[0] == TranscriptStart().event().type and len(pieces) > 1, kinds
        assert "".join(pieces) == text
        same(text, expected)

    async def converse():
        async with AsyncTcpClient("127.0.0.1", int(port)) as connection:
            await connection.write_event(Describe().event())
            info = Info.from_event(await connection.read_event())
            assert info.asr[0].models[0].name == "tiny.en" and info.asr[0].supports_transcript_streaming
            await connection.write_event(Ping(text="x").event())
            assert Pong.from_event(await connection.read_event()).text == "x"
            await recording(connection, name="tiny.en", language="en-US")
            # The connection lives on.
            await recording(connection)
            await connection.write_event(Transcribe(language="de").event())
            assert Error.is_type((await connection.read_event()).type)

    asyncio.run(converse())


if __name__ == "__main__":
    check, base, port, wav, expected = sys.argv[1:6]
    token = sys.argv[6] if len(sys.argv) > 6 else "none"
    globals()[check](base, port, wav, expected, token)
