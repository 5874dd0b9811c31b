"""The list of verdicts against real servers that were judged by hand, and what a run has to show beside it."""
import csv
import fnmatch
import sys
from typing import Any, NamedTuple

import peerlib

LIST = peerlib.PEERS / "adjudicated.tsv"
FIELDS = ["peer", "case", "verdict", "requirement", "adjudication"]
QUIET = {"pass", "skip"}
Row = dict[str, str]


def adjudicated() -> list[Row]:
    """The lines of the list; a comment starts with #."""
    with LIST.open(encoding="utf-8", newline="") as file:
        lines = [line for line in file if line.strip() and not line.startswith("#")]
    rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        if list(row) != FIELDS or None in row.values() or not row["adjudication"].strip():
            sys.exit(f"{LIST}: a row needs {', '.join(FIELDS)}: {row}")
    return rows


def blamed(case: dict[str, Any]) -> str:
    """The requirement that made the verdict: behind a fail there may stand a warning, too."""
    violations = case.get("violations") or []
    grave = [each for each in violations if not each["level"].startswith(("SHOULD", "MAY"))]
    first = (grave if case["verdict"] == "fail" else []) or violations
    return str(first[0]["requirement"]) if first else "-"


def matches(row: Row, peer: str, case: dict[str, Any]) -> bool:
    return (fnmatch.fnmatchcase(peer, row["peer"]) and fnmatch.fnmatchcase(case["id"], row["case"])
            and row["verdict"].rstrip("?") == case["verdict"] and row["requirement"] in ("*", blamed(case)))


class Outcome(NamedTuple):
    """What came of one run against a peer."""

    name: str
    title: str
    error: str = ""
    status: int = -1
    report: dict[str, Any] = {}
    alive: bool = False
    least: int = 0


def play(name: str, mode: list[str], least: int | None = None) -> Outcome:
    """Plays to a peer of its own, with MODE behind the peer's arguments."""
    title = " ".join([name, *mode])
    try:
        with peerlib.started(name) as peer:
            status, report = peerlib.run_json(["--target", peer.target, *peer.args, *mode])
            return Outcome(name, title, "", status, report, peer.alive(), peer.least if least is None else least)
    except peerlib.PeerError as error:
        return Outcome(name, title, str(error))


def play_spawned(name: str) -> Outcome | None:
    """Plays the cases for which the run starts the peer itself. None if there are none."""
    title = f"{name}, started by the run"
    try:
        with peerlib.ready(name) as peer:
            if not peer.spawn_cases:
                return None
            status, report = peerlib.run_json(peer.spawn_args())
            return Outcome(name, title, "", status, report, True, len(peer.spawn_cases))
    except peerlib.PeerError as error:
        return Outcome(name, title, str(error))


def judge(came: Outcome, rows: list[Row], tally: peerlib.Tally) -> set[int]:
    """Checks that the run ended well, and each verdict's line. Returns which lines came true."""
    title, report = came.title, came.report
    if came.error:
        tally.check(False, title, came.error)
        return set()
    if not tally.check(came.status in (0, 1) and "cases" in report, f"{title}: the run ends",
                       report.get("output", f"exit status {came.status}")):
        return set()
    tally.check(came.alive, f"{title}: still runs afterwards")
    played = sum(report["summary"][each] for each in ("pass", "warn", "fail"))
    tally.check(played >= came.least, f"{title}: {played} cases were played")
    unexpected, used = [], set[int]()
    for case in report["cases"]:
        if case["verdict"] in QUIET:
            continue
        hits = [n for n, row in enumerate(rows) if matches(row, came.name, case)]
        used.update(hits)
        if not hits:
            unexpected.append(f"{case['verdict']} {case['id']} [{blamed(case)}]: {case.get('reason')}")
    tally.check(not unexpected, f"{title}: every verdict is adjudicated", "\n".join(unexpected))
    return used
