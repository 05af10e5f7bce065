"""Seeded logs of generation attempts for tests and benchmarks: real-looking, of any size, healthy or not.

    python tests/support/attempt_logs.py drifting.jsonl --scenario drifting --rows 20000
    python tests/support/attempt_logs.py big.jsonl --size 1GB --scenario skewed

Rows are put together from encoded pieces, some 80 MB a second; a row is some 540 bytes, with the fields, order
and spaces that `json.dumps` of an attempt gives.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

SCENARIOS = ("healthy", "drifting", "collapsed", "interleaved", "skewed", "oddities")
BEGAN = 1_769_869_921.0
"""2026-01-31T14:32:01Z."""
CHUNK = 8192

MOVES = (
    "situational_hook", "direct_question", "sensory_detail", "childhood_memory", "complaint", "confession", "proverb",
    "dialogue", "weather", "work_scene", "list_of_facts", "understatement", "letter", "contradiction",
)  # fmt: skip
REPAIRS = (
    "trait_leak", "opening_repetition", "pollyanna_tone", "anchor_missing", "length", "format", "anachronism",
)  # fmt: skip
CONSTRAINTS = (
    "time_pressure", "family_duty", "money", "health", "migration", "language", "faith", "seasonal_work", "ageing",
)  # fmt: skip
ERRORS = ("timeout after 30 s", "invalid JSON in answer", "refused", 'answer held "```"', "context length exceeded")
STAGES = ("B", "C", "validation")
_THINGS = (
    "piața", "zacuscă", "gară", "mămăligă", "școala", "biserica", "via", "maxi-taxi", "bunica", "covor țesut",
    "市场", "饺子", "夜班车", "稻田", "茶馆", "祖母的手镯", "駅前", "味噌汁", "縁側", "시장", "김치", "막걸리",
    "🍞 brutăria", "👵🏽", "🚌 24", "☕️", "борщ", "электричка", "дача", "λαϊκή", "καφενείο", "شاي", "סבתא",
    "allotment", "night shift", "bus depot", "chip shop", "kitchen table", "tide table", "choir", "ration book",
)  # fmt: skip
_PLACES = (
    "Cahul", "Soroca", "Bălți", "Orhei", "Ungheni", "Comrat", "Iași", "Timișoara", "Brăila", "Sighișoara", "成都",
    "哈尔滨", "台南", "京都", "函館", "부산", "전주", "Одеса", "Чернівці", "Θεσσαλονίκη", "Hull", "Leith", "Swansea",
    "Derry", "Łódź", "Plzeň", "Győr", "Ærø", "Reykjavík", "São Tomé", "Çanakkale", "Đà Lạt", "Nuʻuanu", "🏝", "Zürich",
    "Nîmes",
)  # fmt: skip
_TIMES = ("", " în zori", ", 1997", " 冬", " Sundays", " după ploaie", " 夏の", " w marcu", " 🌙", " de Paști")


@dataclass
class Written:
    """What was written: `rows` whole lines that are JSON objects, `bad` lines that are not, `size` bytes in all.

    `odd` counts the oddities by kind, `runs` the rows by run id; with `oddities`, which spoil ids too, there is no
    `runs`.
    """

    rows: int = 0
    bad: int = 0
    size: int = 0
    odd: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Mood:
    """How a generator does: shares, means and how many anchors it still knows."""

    repair: float = 0.05
    fail: float = 0.02
    pollyanna: float = 0.60
    latency: float = 1250.0
    openings: float = 0.25
    """Exponent of the openings' Zipf law: 0 is uniform."""
    anchors: float = 1.0
    """Share of the anchors in use."""

    def towards(self, other: Mood, share: float) -> Mood:
        """Return the mood that lies `share` of the way to `other`."""
        names = self.__dataclass_fields__
        return Mood(**{n: getattr(self, n) + share * (getattr(other, n) - getattr(self, n)) for n in names})


HEALTHY = Mood()
COLLAPSED = Mood(repair=0.34, fail=0.06, pollyanna=0.91, latency=2100.0, openings=2.4, anchors=0.008)


def _text(value: str) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


_ANCHORS = [_text(f"{t} {p}{w}") for w in _TIMES for t in _THINGS for p in _PLACES]
np.random.default_rng(7).shuffle(_ANCHORS)
_SCORES = [f"{n / 100:g}".encode() for n in range(101)]
_MOVES = [_text(move) for move in MOVES]
_REPAIRS = [_text(repair) for repair in REPAIRS]
_PAIRS = [b", ".join(dict.fromkeys((a, b))) for a in map(_text, CONSTRAINTS) for b in map(_text, CONSTRAINTS)]
_ROW = (
    b'{"ts": "%b.%03dZ", "run_id": %b, "persona_id": "%b", "stage": "%b", "attempt": %d, "status": "%b", '
    b'"latency_ms": %d, "prompt_tokens": %d, "completion_tokens": %d, "repairs": [%b], "validator_scores": '
    b'{"trait_leak": %d, "opening_variation": %b, "pollyanna": %b, "anchor_specificity": %b}, "opening_move": %b, '
    b'"constraint_categories": [%b], "anchors_used": [%b], "error": %b}\n'
)


class Run:
    """One run's generator: personas pass the stages one by one, a failed attempt is tried again."""

    def __init__(self, run_id: str, rng: np.random.Generator, *, drift: bool, personas: str = "uuid") -> None:
        self.id = run_id
        self._id = _text(run_id)
        self._rng = rng
        self._drift = drift
        self._personas = personas
        self._count = self._stage = 0
        self._attempt = 1
        self._hard = False
        self._second = -1
        self._stamp = b""
        self._next_persona()

    def _next_persona(self) -> None:
        self._count += 1
        self._stage = 0
        if self._personas == "uuid":
            a, b = (int(n) for n in self._rng.integers(0, 1 << 62, 2))
            text = f"{a & 0xFFFFFFFF:08x}-{a >> 32 & 0xFFFF:04x}-4{b & 0xFFF:03x}-8{b >> 12 & 0xFFF:03x}-{b >> 14:012x}"
            self._persona = text.encode()
        else:
            self._persona = b"%06d" % self._count
        self._hard = self._count % 97 == 5  # a few personas take most of the retries

    def mood(self, progress: float) -> Mood:
        """Return how it does at this share of the log: drift begins at two fifths."""
        return HEALTHY.towards(COLLAPSED, min(max(progress - 0.4, 0.0) / 0.5, 1.0)) if self._drift else HEALTHY

    def rows(self, n: int, mood: Mood, at: list[float]) -> list[bytes]:
        """Return `n` rows written at the seconds `at` since the epoch."""
        draws = _draws(self._rng, n, mood)
        rows = []
        for moment, chance, move, latency, prompt, completion, polly, vary, spec, pair, repair, one, two, three in zip(
            at, *draws, strict=True
        ):
            second = int(moment)
            if second != self._second:
                self._second = second
                self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)).encode()
            failed = chance < mood.fail or (self._hard and chance < 0.8 and self._attempt < 12)
            repaired = mood.fail <= chance < mood.fail + mood.repair
            status = b"fail" if failed else b"repair" if repaired and repair != 2 else b"success"
            repairs = b""
            if repaired:
                repairs = _REPAIRS[repair % 7]
                if repair > 9:
                    repairs += b", " + _REPAIRS[(repair + 1) % 7]
            anchors = _ANCHORS[one] if three % 5 else b", ".join((_ANCHORS[one], _ANCHORS[two], _ANCHORS[three]))
            if three % 5 in (1, 2):
                anchors += b", " + _ANCHORS[two]
            rows.append(
                _ROW
                % (
                    self._stamp, int(moment % 1 * 1000), self._id, self._persona, STAGES[self._stage].encode(),
                    self._attempt, status, latency, prompt, completion, repairs, bool(repaired and repair % 7 == 0),
                    _SCORES[vary], _SCORES[polly], _SCORES[spec], _MOVES[move], _PAIRS[pair], anchors,
                    _ERRORS[pair % 5] if failed else b"null",
                )
            )  # fmt: skip
            self._advance(failed)
        return rows

    def _advance(self, failed: bool) -> None:
        if failed and self._attempt < 12:
            self._attempt += 1
            return
        self._attempt = 1
        self._stage += 1
        if self._stage == len(STAGES):
            self._next_persona()


_ERRORS = [_text(error) for error in ERRORS]


def _draws(rng: np.random.Generator, n: int, mood: Mood) -> list[list[Any]]:
    """Return the random part of `n` rows, a list a field."""
    weights = np.arange(1, len(MOVES) + 1, dtype=float) ** -mood.openings
    known = max(int(len(_ANCHORS) * mood.anchors), 3)

    def scores(mean: float, deviation: float) -> list[int]:
        return np.clip(np.rint(rng.normal(mean, deviation, n) * 100), 0, 100).astype(int).tolist()

    return [
        rng.random(n).tolist(),
        rng.choice(len(MOVES), n, p=weights / weights.sum()).tolist(),
        (mood.latency * rng.lognormal(-0.045, 0.3, n)).astype(int).tolist(),
        rng.integers(380, 520, n).tolist(),
        rng.integers(180, 460, n).tolist(),
        scores(mood.pollyanna, 0.08),
        scores(0.8, 0.1),
        scores(0.75, 0.12),
        rng.integers(0, len(_PAIRS), n).tolist(),
        rng.integers(0, 12, n).tolist(),
        *(known * rng.random((3, n)) ** 1.5).astype(int).tolist(),
    ]


def _runs(scenario: str, rng: np.random.Generator) -> tuple[list[Run], list[float]]:
    """Return the runs of a scenario and how large a share of the log each has."""
    if scenario == "interleaved":
        ids = ("25K_20260131_143200", "25K_20260131_150000", "100K_20260131_143200", "pilot-ș-试")
        return [Run(i, rng, drift=n == 1, personas="seq" if n == 2 else "uuid") for n, i in enumerate(ids)], [0.25] * 4
    if scenario == "skewed":
        runs = [Run(f"{k}_20260201_0{n}0000", rng, drift=False) for n, k in enumerate(["25K"] * 5 + ["1M"] * 5)]
        return runs, [0.9, *[0.1 / 9] * 9]
    return [Run("25K_20260131_143200", rng, drift=scenario == "drifting")], [1.0]


def write_attempts(
    path: str | Path,
    *,
    rows: int | None = None,
    size_bytes: int | None = None,
    seed: int = 0,
    scenario: str = "healthy",
    torn: bool | None = None,
) -> Written:
    """Write a log of `rows` rows, or of the first row that reaches `size_bytes`; return what is in it.

    The same arguments give the same bytes. A name that ends in `.gz` is compressed. `torn` leaves out the last line's
    end (by default for `oddities`); a torn line is neither a row nor bad. Exactly one of `rows` and `size_bytes`.
    """
    if (rows is None) == (size_bytes is None):
        raise ValueError("say either rows or size_bytes")
    if scenario not in SCENARIOS:
        raise ValueError(f"no scenario {scenario!r}; there are {', '.join(SCENARIOS)}")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb", 3) if path.suffix == ".gz" else path.open("wb") as file:
        written = _write(file, rows, size_bytes, np.random.default_rng(seed), scenario)
        if scenario == "oddities" if torn is None else torn:
            written.size += file.write(b'{"ts": "2026-01-31T15:00:00.000Z", "run_id": "25K_2026')
    return written


def _write(file: IO[bytes], rows: int | None, size: int | None, rng: np.random.Generator, scenario: str) -> Written:
    written = Written()
    runs, shares = _runs(scenario, rng)
    now = BEGAN
    while (written.rows + written.bad < rows) if rows is not None else (written.size < (size or 0)):
        left = rows - written.rows - written.bad if rows is not None else (size - written.size) // 480 + 1  # type: ignore[operator]
        n = min(CHUNK if scenario != "drifting" else 1000, left)
        progress = (written.rows + written.bad) / rows if rows is not None else written.size / (size or 1)
        times = (now + np.cumsum(rng.exponential(0.04, n))).tolist()
        now = times[-1]
        lines = _mixed(runs, shares, rng, n, 1.0 if scenario == "collapsed" else progress, times, scenario, written)
        if scenario == "oddities":
            lines = _spoiled(lines, rng, written)
            written.runs.clear()
        else:
            written.rows += n
        if size is not None:
            lines = _cut(lines, size - written.size, written, scenario)
        written.size += file.write(b"".join(lines))
    return written


def _mixed(
    runs: list[Run], shares: list[float], rng: np.random.Generator, n: int, progress: float, times: list[float],
    scenario: str, written: Written,
) -> list[bytes]:  # fmt: skip
    """Return `n` rows of several runs, interleaved row by row."""
    if len(runs) == 1:
        written.runs[runs[0].id] += n
        return runs[0].rows(n, COLLAPSED if scenario == "collapsed" else runs[0].mood(progress), times)
    whose = rng.choice(len(runs), n, p=shares)
    lines: list[bytes] = [b""] * n
    for number, run in enumerate(runs):
        places = np.flatnonzero(whose == number).tolist()
        written.runs[run.id] += len(places)
        for place, row in zip(
            places, run.rows(len(places), run.mood(progress), [times[p] for p in places]), strict=True
        ):
            lines[place] = row
    return lines


def _cut(lines: list[bytes], room: int, written: Written, scenario: str) -> list[bytes]:
    """Return the lines up to the one that fills `room` bytes. Counts of `oddities` stay those of the whole chunk."""
    held = 0
    for number, line in enumerate(lines, 1):
        held += len(line)
        if held >= room:
            for late in lines[number:] if scenario != "oddities" else ():
                written.rows -= 1
                written.runs[json.loads(late)["run_id"]] -= 1
            return lines[:number]
    return lines


# ---------------------------------------------------------------- oddities

_MISSING = (
    "ts", "run_id", "persona_id", "stage", "attempt", "status", "latency_ms", "prompt_tokens", "completion_tokens",
    "repairs", "validator_scores", "opening_move", "constraint_categories", "anchors_used", "error",
)  # fmt: skip
_WRONG: tuple[tuple[str, Any], ...] = (
    ("latency_ms", "fast"), ("latency_ms", True), ("latency_ms", [1250]), ("latency_ms", None), ("latency_ms", -5),
    ("latency_ms", 1250.5), ("latency_ms", 10**30), ("repairs", "trait_leak"), ("repairs", None), ("repairs", {"a": 1}),
    ("repairs", [1, None, ["x"]]), ("validator_scores", []), ("validator_scores", {"pollyanna": None}),
    ("validator_scores", {"pollyanna": "high"}), ("validator_scores", {"pollyanna": 7.5}), ("opening_move", None),
    ("opening_move", ["a"]), ("opening_move", ""), ("anchors_used", "Cahul"), ("anchors_used", [None, 3, {"a": []}]),
    ("persona_id", 17), ("persona_id", None), ("persona_id", {"id": 1}), ("run_id", 25), ("run_id", None),
    ("status", "ok"), ("status", None), ("status", 1), ("attempt", "second"), ("attempt", 0), ("ts", 1769869921.234),
    ("ts", "yesterday"), ("ts", None), ("stage", None), ("prompt_tokens", -1), ("completion_tokens", 1e400),
    ("constraint_categories", None), ("error", {"code": 7}),
)  # fmt: skip
_NOT_ROWS = (
    b"[1, 2, 3]", b'"just text"', b"17", b"null", b'{"ts": "2026-01-31T14:', b"Traceback (most recent call last):",
    b"\x00\x00\x00\x00\x7fELF\x02\x01\xff\xfe", b"\xff\xfe\x00{", b'{"status": "success",, }', b"{" * 400,
    b'{"a":' * 2000, b"\x1f\x8b\x08\x00notgzip",
)  # fmt: skip


def _spoiled(lines: list[bytes], rng: np.random.Generator, written: Written) -> list[bytes]:
    """Return the rows with one in four made odd; a line stays a line, so that counting them stays simple."""
    vanished = False
    out: list[bytes] = []
    for line in lines:
        kind = int(rng.integers(0, 48))
        if rng.random() < 0.01:
            vanished = not vanished
        row = line.replace(b'"pollyanna": ', b'"tone": ') if vanished else line
        written.odd["vanished_validator"] += vanished
        spoil = _KINDS.get(kind)
        if spoil is None:
            name, row = "", row
        else:
            name, row = spoil.__name__.strip("_"), spoil(row, out[-1] if out else row, rng)
            written.odd[name] += 1
        out.append(row)
        if name == "no_object":
            written.bad += 1
        else:
            written.rows += 1
    return out


def _edited(row: bytes, **values: Any) -> bytes:
    """Return the row with some fields set; NaN and Infinity as bare words."""
    return json.dumps({**json.loads(row), **values}, ensure_ascii=False).encode() + b"\n"


def _missing_field(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    content = json.loads(row)
    del content[_MISSING[rng.integers(0, len(_MISSING))]]
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


def _wrong_type(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    name, value = _WRONG[rng.integers(0, len(_WRONG))]
    return _edited(row, **{name: value})


def _not_finite(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    value = (float("nan"), float("inf"), -float("inf"))[rng.integers(0, 3)]
    if rng.random() < 0.5:
        return _edited(row, latency_ms=value)
    return _edited(row, validator_scores={"pollyanna": value, "opening_variation": 0.5})


def _numeric_string(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    return _edited(row, latency_ms="1250", prompt_tokens="450", validator_scores={"pollyanna": "0.7"})


def _unknown_field(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    return _edited(row, model="mens-7b-ș", temperature=0.8, nested={"a": [1, {"b": None}]})


def _duplicate(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    return row if before[:1] != b"{" or before.count(b"}") < 2 or not before.endswith(b"}\n") else before


def _clock_back(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    return _edited(row, ts="2026-01-31T02:00:00.000Z")


def _escaped(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    return json.dumps({**json.loads(row), "anchors_used": ["Cahul\ud800", "a\u0000b", "\x1b[31mred"]}).encode() + b"\n"


def _bad_utf8(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    return row.replace(b'"anchors_used": [', b'"anchors_used": ["pia\xc8\xa0\xff\xfe", ')


def _windows_line(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    return row[:-1] + b"\r\n"


def _double_key(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    return b'{"status": "fail", "latency_ms": 1, ' + row[1:]


def _other_order(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    return json.dumps(dict(sorted(json.loads(row).items(), reverse=True)), separators=(",", ":")).encode() + b"\n"


def _no_object(row: bytes, before: bytes, rng: np.random.Generator) -> bytes:
    return _NOT_ROWS[rng.integers(0, len(_NOT_ROWS))] + b"\n"


_KINDS = dict(
    enumerate((
        _missing_field, _wrong_type, _not_finite, _numeric_string, _unknown_field, _duplicate, _clock_back, _escaped,
        _bad_utf8, _windows_line, _double_key, _other_order, _no_object,
    ))
)  # fmt: skip


def _bytes(text: str) -> int:
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
    unit = text[-2:].upper()
    return int(float(text[:-2]) * units[unit]) if unit in units else int(text)


def main() -> None:
    """Write one log and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--scenario", choices=SCENARIOS, default="healthy")
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--rows", type=int)
    size.add_argument("--size", type=_bytes, help="such as 1GB")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.perf_counter()
    written = write_attempts(
        options.path, rows=options.rows, size_bytes=options.size, seed=options.seed, scenario=options.scenario
    )
    seconds = time.perf_counter() - began
    print(f"{options.path}: {written.rows} rows, {written.bad} bad lines, {written.size} bytes in {seconds:.1f} s")
    print(dict(written.runs), dict(written.odd))


if __name__ == "__main__":
    main()
