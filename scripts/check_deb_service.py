"""What systemd would do with the installed unit, in a chroot where systemd cannot run, and what must hold then.

    check_deb_service.py ROOT CHROOT_COMMAND...

CHROOT_COMMAND runs a program below ROOT (`chroot ROOT`). The unit and its drop-ins are read from ROOT: ExecStart, the
environment, user and groups, where output goes, Restart and RestartSec, WatchdogSec, TimeoutStartSec. Hardening is not applied.
"""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(sys.argv[1])
PATIENCE = float(os.environ.get("EARWITNESS_CHECK_PATIENCE", "120"))


def read_unit(name):
    """The settings of [Service]; an empty value takes back those before it, as for systemd."""
    files = [ROOT / "lib/systemd/system" / name]
    files += sorted((ROOT / "etc/systemd/system" / f"{name}.d").glob("*.conf"))
    found, section = {}, ""
    for line in "\n".join(file.read_text() for file in files).splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif "=" in line and line[0] not in "#;" and section == "[Service]":
            key, value = line.split("=", 1)
            found[key] = found.get(key, []) + [value] if value else []
    return found


class Service:
    """One service, started, watched and started again."""

    def __init__(self, chroot):
        self.unit, self.chroot = read_unit("earwitness.service"), chroot
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = ROOT / "run/earwitness-notify"
        path.unlink(missing_ok=True)
        self.socket.bind(str(path))
        path.chmod(0o666)
        self.messages, self.starts, self.process, self.may_end = [], 0, None, False

    def one(self, key, default=""):
        return (self.unit.get(key) or [default])[-1]

    def environment(self):
        user = self.one("User", "root")
        home = next(line.split(":")[5] for line in (ROOT / "etc/passwd").read_text().splitlines() if line.startswith(user + ":"))
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "USER": user, "LOGNAME": user, "HOME": home}
        environment |= {"NOTIFY_SOCKET": "/run/earwitness-notify"}
        watchdog = float(self.one("WatchdogSec", "0"))
        if watchdog:
            environment["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        for name in self.unit.get("EnvironmentFile", []):
            file = ROOT / name.lstrip("-/")
            if file.exists():
                pairs = re.findall(r"^([A-Za-z_]\w*)=(.*)$", file.read_text(), re.M)
                environment |= {key: value.strip("\"'") for key, value in pairs}
        return environment

    def start(self):
        environment, words = self.environment(), []
        for word in shlex.split(self.one("ExecStart")):
            # `$NAME` is split into words, as systemd does.
            words += environment.get(word[1:], "").split() if re.fullmatch(r"\$\w+", word) else [word]
        user, groups = self.one("User", "root"), ",".join(" ".join(self.unit.get("SupplementaryGroups", [])).split())
        enter = [*self.chroot[:1], f"--userspec={user}:{self.one('Group', user)}", f"--groups={groups}", *self.chroot[1:]]
        kind, _, path = self.one("StandardOutput", "journal").partition(":")
        output = open(ROOT / path.lstrip("/"), "ab") if kind == "append" else subprocess.DEVNULL
        # The shell becomes the program: the watchdog's process id is its own.
        shell = ["/bin/sh", "-c", 'umask "$0"; export WATCHDOG_PID=$$; cd "$1"; shift; exec "$@"']
        shell += [self.one("UMask", "0022"), self.one("WorkingDirectory", "/")]
        self.process = subprocess.Popen(enter + shell + words, env=environment, stdout=output, stderr=sys.stderr)
        self.starts += 1
        self.ready, self.stopping, self.sign = False, False, time.monotonic()

    def turn(self):
        """Hears what the service says for a moment; starts it again where the unit says so."""
        self.socket.settimeout(0.01)
        try:
            for line in self.socket.recv(4096).decode().splitlines():
                self.messages.append(line)
                self.stopping |= line == "STOPPING=1"
                if line in ("READY=1", "WATCHDOG=1"):
                    self.ready, self.sign = True, time.monotonic()
                    say(f"start {self.starts}: {line}")
        except TimeoutError:
            pass
        silence = time.monotonic() - self.sign
        watchdog = float(self.one("WatchdogSec", "0"))
        if self.ready and watchdog and silence > watchdog and not self.stopping:
            say("no sign of life: killed, as systemd would")
            self.process.send_signal(signal.SIGABRT)
        if not self.ready and silence > float(self.one("TimeoutStartSec", "90")):
            fail("it did not become ready")
        status = self.process.poll()
        if status == 0 and not self.may_end:
            fail("it ended by itself: was the recording too short?")
        stays = {int(word) for word in self.one("RestartPreventExitStatus").split() if word.isdigit()}
        if status in stays:
            fail(f"it ended with {status}, after which the unit does not start it again")
        if status not in (None, 0) and self.one("Restart") == "on-failure":
            pause = float(self.one("RestartSec", "0.1"))
            say(f"ended with {status}: started again in {pause:g} s")
            time.sleep(pause)
            self.start()

    def until(self, what, holds):
        begin = time.monotonic()
        while not holds():
            if time.monotonic() - begin > PATIENCE:
                fail(f"not within {PATIENCE:g} s: {what}")
            self.turn()
        say(f"{what} ({time.monotonic() - begin:.1f} s)")


def say(text):
    print(f"check-deb: {text}", file=sys.stderr, flush=True)


def fail(text):
    say(f"FAILED: {text}")
    sys.exit(1)


def main():
    chroot = sys.argv[2:]
    service = Service(chroot)
    events = ROOT / service.one("StandardOutput").partition(":")[2].lstrip("/")

    def heard(kind):
        lines = events.read_text().splitlines() if events.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def spool():
        enter = [*chroot[:1], "--userspec=earwitness:earwitness", *chroot[1:], "/usr/bin/earwitness"]
        command = [*enter, "spool", "list", "--json"]
        lines = subprocess.run(command, env=service.environment(), capture_output=True, check=True, text=True).stdout
        return {line["id"]: line["state"] for line in map(json.loads, lines.splitlines())}

    service.start()
    try:
        service.until("READY=1: it hears", lambda: service.ready)
        kept = lambda: len(heard("speech_ended"))
        service.until("two utterances are kept, one not yet answered", lambda: kept() >= 2 and kept() > len(heard("final")))
        service.process.kill()
        service.process.wait()
        before = spool()
        waiting = sorted(id for id, state in before.items() if state != "answered")
        say(f"killed with SIGKILL; kept: {before}")
        if not waiting:
            fail("everything was answered before the kill, so this shows nothing: run it again")
        service.until("started again and ready", lambda: service.starts == 2 and service.ready)
        # The spool is the service's alone while it runs: its events tell.
        recovered = lambda: sorted(event["id"] for event in heard("recovered"))
        service.until(f"answered after the kill: {', '.join(waiting)}", lambda: set(waiting) <= set(recovered()))
        if "WATCHDOG=1" not in service.messages:
            service.until("a sign of life", lambda: "WATCHDOG=1" in service.messages)
        service.may_end = True
        service.process.terminate()
        service.until("SIGTERM: STOPPING=1", lambda: "STOPPING=1" in service.messages)
        service.until("it has ended", lambda: service.process.poll() is not None)
        if service.process.returncode != 0 or service.starts != 2:
            fail(f"it ended with {service.process.returncode} after {service.starts} starts")
        after = spool()
        say(f"ended with 0, not started again; {len(heard('final'))} answers and {len(recovered())} recovered; spool: {after}")
        # What is answered is kept no longer; each that was heard has one answer.
        said = sorted(event["id"] for event in heard("speech_ended"))
        answered = sorted(event["id"] for event in heard("final") + heard("recovered"))
        if recovered() != waiting or after or said != answered:
            fail("an utterance was lost, or answered twice")
    finally:
        if service.process.poll() is None:
            service.process.kill()


main()
