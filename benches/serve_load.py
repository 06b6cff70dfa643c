#!/usr/bin/env python3
"""Load on OpenAI-compatible speech servers: how much audio they get through, and what it costs.

serve_load.py WAV SECONDS NAME=URL=PID...

WAV is sent again and again by 32 clients at once for SECONDS, to one server after the other in the same run.
URL is the base address (http://127.0.0.1:8080/v1), PID the server's process, whose memory is watched. Every
server must run already; a 429 is waited out as its Retry-After says. Only the standard library is needed.
"""

import http.client
import statistics
import sys
import threading
import time
import urllib.parse
import wave

CLIENTS = 32


def memory_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def request_body(wav):
    parts = [("model", "whisper-1"), ("response_format", "json"), ("language", "en"), ("temperature", "0")]
    text = "".join(f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in parts)
    head = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    with open(wav, "rb") as file:
        return text.encode() + head.encode() + file.read() + b"\r\n--b--\r\n"


def load(url, body, seconds, pid):
    address = urllib.parse.urlparse(url)
    end = time.monotonic() + seconds
    lock, waits, counts = threading.Lock(), [], {}

    def client():
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=120)
        while time.monotonic() < end:
            begin, pause = time.monotonic(), 0
            try:
                headers = {"Content-Type": "multipart/form-data; boundary=b"}
                connection.request("POST", f"{address.path}/audio/transcriptions", body, headers)
                answer = connection.getresponse()
                answer.read()
                kind = answer.status
                pause = float(answer.headers.get("retry-after") or 1) if kind == 429 else 0
            except Exception as error:  # Whatever goes wrong is what is counted.
                kind = type(error).__name__
                connection.close()
            with lock:
                counts[kind] = counts.get(kind, 0) + 1
                if kind == 200:
                    waits.append(time.monotonic() - begin)
            time.sleep(min(pause, max(0, end - time.monotonic())))

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    begin = time.monotonic()
    for thread in threads:
        thread.start()
    memory = []
    while any(thread.is_alive() for thread in threads):
        memory.append(memory_mib(pid))
        time.sleep(1)
    return counts, waits, time.monotonic() - begin, memory


if __name__ == "__main__":
    wav, seconds = sys.argv[1], float(sys.argv[2])
    with wave.open(wav) as file:
        audio = file.getnframes() / file.getframerate()
    body = request_body(wav)
    print(f"{CLIENTS} clients, {seconds:.0f} s, {audio:.1f} s of audio a request")
    for server in sys.argv[3:]:
        name, url, pid = server.split("=")
        load(url, body, 5, pid)  # Warm: the first requests load what is loaded late.
        counts, waits, took, memory = load(url, body, seconds, pid)
        third = max(1, len(memory) // 3)
        early, late = statistics.median(memory[:third]), statistics.median(memory[-third:])
        percentile = statistics.quantiles(waits, n=20) if len(waits) > 1 else [0] * 19
        print(
            f"{name}: {len(waits) * audio / took:.0f} s of audio a second, answers {counts}, "
            f"wait p50 {percentile[9]:.2f} s p95 {percentile[18]:.2f} s, "
            f"memory {early:.0f} MiB in the first third, {late:.0f} MiB in the last"
        )
