"""Plays cases against the reference server with a quirk, and tells which requirements are blamed.

A quirk shows on some kinds of server, and to some kinds of player: a Way is one pair of them. What is blamed
on a way without any quirk (an oldstyle server lacks the baseline, say) counts for nothing there.
"""
import contextlib
import dataclasses
import fnmatch
import pathlib
import re
import shlex
import subprocess
import tempfile
import threading
from typing import Any, Iterator, Optional

import peerlib

# One case for each kind of message: of a server that breaks all framing, the whole catalogue would learn no
# more than these, and wait for an answer in every case.
TOUR = [
    "server/handshake/oldstyle/greeting",
    "server/handshake/list/replies",
    "server/handshake/options/unknown",
    "server/handshake/info-go/info-succeeds",
    "server/handshake/info-go/go-succeeds",
    "server/handshake/info-go/unknown-export",
    "server/handshake/info-go/other-export-than-informed",
    "server/handshake/export-name/granted",
    "server/handshake/abort/acknowledged",
    "server/handshake/structured-reply/negotiated",
    "server/handshake/meta-context/list-all",
    "server/handshake/meta-context/set-wildcard",
    "server/transmission/read/start",
    "server/transmission/read/beyond-end",
    "server/transmission/read/cookies",
    "server/transmission/write/start",
    "server/transmission/write-zeroes/zeroes",
    "server/transmission/cache/no-difference",
    "server/transmission/structured/*",
    "server/transmission/block-status/whole",
    "server/transmission/block-status/progress",
    "server/transmission/block-status/req-one",
    "server/sizes/default-maximum-read",
    "server/transmission/ordering/mixed",
    "server/extended/*",
    "server/tls/starttls/acknowledged",
    "server/tls/notls/refused",
]
PATIENCE = "5"
UNREACHABLE = 125  # the exit status where the target can't be played to


@dataclasses.dataclass(frozen=True)
class Way:
    """A kind of server, and how it is played to. {tls} is a folder of certificates."""

    serve: tuple[str, ...] = ()
    play: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()  # a quirk with one of these in its name or requirement is looked for here first
    liberties: str = ""  # those whose names begin so are taken here; "all": those that have no such way

    def __str__(self) -> str:
        return " ".join(["serve", *self.serve] + (["played with", *self.play] if self.play else []))


CERTIFICATES = ("--tls-certificates", "{tls}/good")
WAYS = [
    Way(liberties="all"),
    Way(play=("--replies", "structured"), marks=("structured", "chunk"), liberties="all"),
    Way(("--tls", "allow", *CERTIFICATES), marks=("tls",), liberties="starttls"),
    Way(("--tls", "require", *CERTIFICATES), marks=("tls.forced", "tls-reqd"), liberties="forced"),
    Way(("--tls", "allow", *CERTIFICATES, "--export", ":size=64M,tls", "--export", "plain:size=64M"),
        marks=("tls.selective", "tls-reqd"), liberties="selective"),
    Way(("--tls", "allow", "--tls-verify-peer", *CERTIFICATES), ("--tls", "allow", *CERTIFICATES), ("tls",)),
    Way(("--tls", "require", *CERTIFICATES), ("--tls", "allow", *CERTIFICATES), ("tls",)),
    Way(("--export", ":size=64M,resize"), marks=("resize",), liberties="resize"),
    Way(("--read-only",)),
    Way(("--block-size", "512/4096/32M")),
    Way(("--block-size", "4k/64k/2M")),
    Way(("--oldstyle",), marks=("oldstyle",)),
    Way(("--newstyle",)),
    Way(("--size", "511")),
    Way(("--threads", "1"), marks=("robust.idle",)),
    Way(("--export", "disk:size=64M", "--default-export", "disk")),
    Way(("--export", ":size=64M", "--export", "other:size=32M"), marks=("any-export",)),
    Way(("--export", ":size=64M,block=4k/64k/2M,require")),
    Way(play=("--replies", "extended"), marks=("extended",), liberties="all"),
    Way(("--size", "16G"), marks=("long-effect",)),
    Way(("--require-extended",), marks=("extended.required",)),
]


@dataclasses.dataclass
class Quirk:
    """One line of the table of quirks."""

    name: str
    requirement: str
    liberty: bool = False  # breaks nothing, and must not be blamed
    silence: bool = False  # breaks a requirement that something comes: shows by its not coming
    needs: str = ""

    @property
    def arguments(self) -> list[str]:
        """What `serve` is told."""
        return self.name.split() if self.name.startswith("--leak") else ["--quirk", self.name]

    @property
    def signalled(self) -> bool:
        return "--spawn" in self.needs

    @property
    def spawned(self) -> bool:
        """Whether the run has to start the server itself: again after a crash, so that each case is blamed alone."""
        return self.signalled or self.name.startswith(("crash-", "--leak"))

    def ways(self) -> list[Way]:
        """All ways, the likeliest first; for a liberty those on which it breaks nothing."""
        if self.liberty:
            return self.ways_of_liberty()
        text = f"{self.name} {self.requirement}"
        return sorted(WAYS, key=lambda way: not any(mark in text for mark in way.marks))

    def ways_of_liberty(self) -> list[Way]:
        kind = self.name.split("-", maxsplit=1)[0]
        own = [way for way in WAYS if way.liberties == kind]
        return own or [way for way in WAYS if way.liberties == "all"]


@dataclasses.dataclass(frozen=True)
class Blame:
    """One requirement that one case found broken."""

    case: str
    requirement: str
    silent: bool = False  # only by an answer that did not come
    cited: frozenset[str] = frozenset()  # all that the case cites


# What is no quirk of the table, and breaks what no quirk does.
LEAKS = [Quirk("--leak zombie,ending=soft,every=16", "robust.no-zombies")]


def quirks() -> list[Quirk]:
    text = subprocess.run([peerlib.nbdconform(), "serve", "--list-quirks"], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    found, name = [], ""
    for line in text.splitlines():
        words = line.strip()
        if line and not line.startswith(" "):
            name = words
        elif words.startswith("breaks "):
            found.append(Quirk(name, words.split()[1].rstrip(";")))
        elif words.startswith("makes use of "):
            found.append(Quirk(name, words.split()[3].rstrip(";"), True))
        elif words.startswith("by silence: "):
            found[-1].silence = True
        elif words.startswith("needs "):
            found[-1].needs = words
    return [*found, *LEAKS]


class Catalogue:
    """The cases there are, and which cite what."""

    def __init__(self) -> None:
        _, report = peerlib.run_json([])
        self.cases = [case["id"] for case in report["cases"]]
        self.citing: dict[str, list[str]] = {}
        for case in report["cases"]:
            for requirement in case["requirements"]:
                self.citing.setdefault(requirement, []).append(case["id"])

    def tour(self) -> list[str]:
        return [glob for glob in TOUR if fnmatch.filter(self.cases, glob)]


# How a violation says that something did not come. "no-answer" is said of a whole case, by its gravest violation.
WAITED = re.compile(r"\bfor [0-9]+ ms\b|takes no more of what we send")


def blames_in(report: dict[str, Any]) -> set[Blame]:
    return {Blame(case["id"], each["requirement"],
                  bool(WAITED.search(each["message"])) or
                  (case["kind"] == "no-answer" and len(case["violations"]) == 1),
                  frozenset(case["requirements"]))
            for case in report.get("cases", []) if case["verdict"] in ("fail", "warn")
            for each in case["violations"]}


class Court:
    """Judges quirky servers; knows what is blamed on clean ones."""

    def __init__(self, folder: pathlib.Path, timeout: str) -> None:
        self.tls = folder / "tls"
        self.timeout = timeout
        self.lock = threading.Lock()
        self.innocent: dict[Way, set[tuple[str, str]]] = {}
        subprocess.run([pathlib.Path(__file__).parent / "make-certificates", self.tls], check=True)

    def fill(self, words: tuple[str, ...]) -> list[str]:
        return [word.replace("{tls}", str(self.tls)) for word in words]

    @contextlib.contextmanager
    def serving(self, way: Way, needs: str, quirk: list[str]) -> Iterator[Optional[str]]:
        """Where the reference server listens; None if the quirk and the way do not go together."""
        with tempfile.TemporaryDirectory(prefix="nbdconform-") as folder:
            socket = str(pathlib.Path(folder) / "socket")
            port = peerlib.free_port()
            tcp = "--port" in needs
            where = ["--port", str(port)] if tcp else ["--socket", socket]
            command = [peerlib.nbdconform(), "serve", *where, *quirk, *self.fill(way.serve)]
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL) as server:
                try:
                    assert server.stdout is not None
                    ready = server.stdout.readline()
                    yield (f"127.0.0.1:{port}" if tcp else socket) if ready else None
                finally:
                    server.terminate()

    def play(self, way: Way, where: list[str], only: list[str], timeout: str = "") -> set[Blame]:
        args = [*where, "--allow-writes", "--timeout", timeout or self.timeout, *self.fill(way.play)]
        for case in only:
            args += ["--only", case]
        status, report = peerlib.run_json(args)
        if "cases" not in report and status != UNREACHABLE:
            raise peerlib.PeerError(f"{shlex.join(args)}: {report['output']}")
        return blames_in(report)

    def clean(self, way: Way) -> set[tuple[str, str]]:
        """What is blamed on this way without a quirk."""
        with self.lock:
            if way not in self.innocent:
                with self.serving(way, "", []) as target:
                    blames = self.play(way, ["--target", target], [], PATIENCE) if target else set()
                self.innocent[way] = {(each.case, each.requirement) for each in blames}
            return self.innocent[way]

    def try_quirk(self, quirk: Quirk, way: Way, only: list[str]) -> set[Blame]:
        """What is blamed on a server with the quirk, when the cases ONLY (or all) are played."""
        # Nobody waits for the answers of a server that breaks nothing, unless the machine is busy.
        timeout = PATIENCE if quirk.liberty else ""
        if quirk.spawned:
            command = [peerlib.nbdconform(), "serve", "--socket", "{socket}", *quirk.arguments,
                       *self.fill(way.serve)]
            blames = self.play(way, ["--spawn", shlex.join(command)], only, timeout)
        else:
            with self.serving(way, quirk.needs, quirk.arguments) as target:
                blames = self.play(way, ["--target", target], only, timeout) if target else set()
        innocent = self.clean(way) if blames else set()
        hints = {quirk.requirement} if quirk.liberty else set()  # it may, and is told of it
        return {each for each in blames
                if (each.case, each.requirement) not in innocent and each.requirement not in hints}


def table_of_requirements() -> list[dict[str, str]]:
    lines = (peerlib.ROOT / "cases" / "requirements.tsv").read_text(encoding="utf-8").splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"))) for line in lines[1:] if line]


def requirements_checked() -> list[str]:
    """The requirements that bind servers and that a case or a rule checks, by the table."""
    return [row["id"] for row in table_of_requirements()
            if row["role"] in ("server", "both") and row["check"].split("+")[0] in ("case", "rule")]


# Bind servers and are checked, and no quirk of the reference server breaks them, for these reasons.
WITHOUT_QUIRK = {
    "handshake.newstyle.no-oldstyle-on-port": "port 10809 may be taken, and may be watched; the unit tests make it up",
    "robust.clean-report": "the reference server writes no sanitizer's reports; the unit tests' server does",
}


def lacking() -> list[str]:
    """Requirements that a case or a rule checks, that no quirk breaks, and for which there is no reason. What
    a server MAY do can't be broken; liberties make use of it."""
    shown = {quirk.requirement for quirk in quirks()} | set(WITHOUT_QUIRK)
    permitted = {row["id"] for row in table_of_requirements() if row["level"] == "MAY"}
    return [each for each in requirements_checked() if each not in shown | permitted]


def untaken() -> list[str]:
    """What a server MAY do by a requirement that is checked, and no liberty does nor quirk overdoes. The reference
    server may do it as it is."""
    tried = {quirk.requirement for quirk in quirks()}
    permitted = {row["id"] for row in table_of_requirements() if row["level"] == "MAY"}
    return [each for each in requirements_checked() if each in permitted - tried]


WEAK = frozenset(row["id"] for row in table_of_requirements() if row["level"] in ("MAY", "SHOULD", "SHOULD NOT"))


def blames_rightly(blame: Blame, quirk: Quirk) -> bool:
    """Of several that one line cites, the strongest is blamed: a weaker one is found with it."""
    return quirk.requirement == blame.requirement or (quirk.requirement in WEAK and quirk.requirement in blame.cited)
