"""Starts the real servers and clients that servers/peers/ describes, and stops them again.

A peer file is an INI file with one section, [peer]:

  about     one line for people
  kind      server
  package   the Debian package that has it
  command   how it is started; {dir} is a private folder, {socket} a path in it, {port} a free TCP port,
            {scripts} the folder of our own scripts
  prepare   shell commands to be run before, in {dir} (optional, several lines)
  config    the content of {dir}/config (optional)
  pidfile   where a server that goes into the background writes its process id (optional)
  target    what nbdconform is to be told as --target
  args      its other arguments (optional)
  least     how many cases have to be played at the least (optional)
  spawn     the cases for which the run starts the command itself, since they send signals, or since the server
            does not live through them (optional, GLOBs)
"""
import configparser
import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import Any, Iterator, Optional

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "servers" / "peers"
READY_SECONDS = 60
# Most of the catalogue has to be played against a peer, or the run shows nothing.
LEAST_PLAYED = 150


class PeerError(Exception):
    """A peer that can't be had or does not start."""


class Peer:
    """One started peer."""

    def __init__(self, name: str, folder: pathlib.Path) -> None:
        self.name = name
        parser = configparser.ConfigParser(interpolation=None)
        if not parser.read(PEERS / f"{name}.peer"):
            raise PeerError(f"there is no servers/peers/{name}.peer")
        section = parser["peer"]
        self.about = section["about"]
        self.package = section["package"]
        self.fields = {
            "dir": str(folder),
            "socket": str(folder / "socket"),
            "port": str(free_port()),
            "scripts": str(ROOT / "scripts"),
        }
        self.command = shlex.split(self.fill(section["command"]))
        # The run chooses a socket or a port of its own.
        self.spawn_command = self.fill(section["command"], "dir", "scripts")
        self.spawn_cases = section.get("spawn", "").split()
        self.prepare = self.fill(section.get("prepare", ""))
        self.config = self.fill(section.get("config", ""))
        self.pidfile = self.fill(section.get("pidfile", ""))
        self.target = self.fill(section["target"])
        self.args = shlex.split(self.fill(section.get("args", "")))
        self.least = int(section.get("least", str(LEAST_PLAYED)))
        self.folder = folder
        self.log = folder / "log"
        self.process: Optional[subprocess.Popen[bytes]] = None

    def fill(self, text: str, *keys: str) -> str:
        for key in keys or self.fields:
            text = text.replace("{" + key + "}", self.fields[key])
        return text

    def spawn_args(self) -> list[str]:
        """What a run is told that starts the peer itself, for the cases of `spawn` and no others."""
        pairs = [(word, self.args[n + 1]) for n, word in enumerate(self.args) if word in ("--only", "--skip")]
        args = list(self.args)
        for word, glob in pairs:
            at = next(n for n in range(len(args)) if args[n:n + 2] == [word, glob])
            del args[at:at + 2]
        return ["--spawn", self.spawn_command, *args, *(word for glob in self.spawn_cases for word in ("--only", glob))]

    def make_ready(self) -> None:
        if shutil.which(self.command[0]) is None:
            raise PeerError(f"{self.name}: {self.command[0]} is missing (package {self.package})")
        if self.config:
            (self.folder / "config").write_text(self.config.lstrip("\n"), encoding="utf-8")
        if self.prepare:
            subprocess.run(["sh", "-euc", self.prepare], cwd=self.folder, check=True)

    def start(self) -> None:
        self.make_ready()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + READY_SECONDS
        while not accepts(self.target):
            if self.process.poll() not in (None, 0) or not (self.pidfile or self.alive()):
                raise PeerError(f"{self.name} ended at once: {self.log.read_text(errors='replace')}")
            if time.monotonic() > deadline:
                raise PeerError(f"{self.name} does not accept connections on {self.target}")
            time.sleep(0.02)

    def pid(self) -> int:
        """The server's process id; 0 if there is none (any more)."""
        if self.process is None:
            return 0
        if not self.pidfile:
            return self.process.pid if self.process.poll() is None else 0
        try:
            return int(pathlib.Path(self.pidfile).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return 0

    def alive(self) -> bool:
        pid = self.pid()
        return pid > 0 and pathlib.Path(f"/proc/{pid}").exists()

    def tail(self) -> str:
        """How the peer ended, if it has, and the last that it said."""
        code = self.process.poll() if self.process else None
        ended = "" if code is None else f"ended with status {code}\n"
        return ended + self.log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def stop(self) -> None:
        if self.process is None:
            return
        # Its own process group: a forking server's children go with it, and nobody else's.
        group = self.pid() or self.process.pid
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, number)
            deadline = time.monotonic() + 10
            while self.alive() and time.monotonic() < deadline:
                time.sleep(0.02)
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(target: str) -> bool:
    """True once somebody accepts connections on TARGET, a path or HOST:PORT."""
    try:
        if target.startswith("/"):
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(target)
        else:
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port)), timeout=5):
                pass
        return True
    except OSError:
        return False


@contextlib.contextmanager
def started(name: str) -> Iterator[Peer]:
    """The peer called NAME, running while the block runs."""
    with tempfile.TemporaryDirectory(prefix="nbdconform-") as folder:
        peer = Peer(name, pathlib.Path(folder))
        try:
            peer.start()
            yield peer
        finally:
            peer.stop()


@contextlib.contextmanager
def ready(name: str) -> Iterator[Peer]:
    """The peer called NAME, with all that it needs, but not started."""
    with tempfile.TemporaryDirectory(prefix="nbdconform-") as folder:
        peer = Peer(name, pathlib.Path(folder))
        peer.make_ready()
        yield peer


def names() -> list[str]:
    return sorted(path.stem for path in PEERS.glob("*.peer"))


def nbdconform() -> str:
    """The program to be tested."""
    return os.environ.get("NBDCONFORM") or str(ROOT / "nbdconform")


def run_json(args: list[str], timeout: float = 900) -> tuple[int, dict[str, Any]]:
    """Runs nbdconform; its exit status and its JSON report (empty where it wrote none)."""
    with tempfile.TemporaryDirectory(prefix="nbdconform-") as folder:
        report = pathlib.Path(folder) / "report.json"
        done = subprocess.run([nbdconform(), *args, "--json", str(report)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout, check=False)
        if not report.exists():
            return done.returncode, {"output": done.stdout.decode(errors="replace")}
        return done.returncode, json.loads(report.read_text(encoding="utf-8"))


class Tally:
    """Counts checks, and prints the closing line."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0

    def check(self, good: bool, what: str, detail: str = "") -> bool:
        if good:
            self.passed += 1
        else:
            self.failed += 1
        print(f"{'ok' if good else 'FAILED'}: {what}", flush=True)
        if not good and detail:
            print("  " + detail.replace("\n", "\n  "), flush=True)
        return good

    def close(self) -> int:
        print(f"{self.passed} passed, {self.failed} failed")
        return 1 if self.failed else 0
