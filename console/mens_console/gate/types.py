"""What the gate is made of: profiles of criteria, evidence with where it came from, and the verdicts on it.

Types alone. A profile is loaded in `profiles`, evidence read in `readers`, judged in `evaluate`; none of them reads a
clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mens_console.signals.byvalue import ByValue

Verdict = Literal["PASS", "CONDITIONAL", "FAIL", "UNDERFED"]
VERDICTS: Final[tuple[Verdict, ...]] = ("FAIL", "UNDERFED", "CONDITIONAL", "PASS")
"""Worst first: the worst of the criteria is the verdict of all."""
Statistic = Literal["value", "mean", "share", "quantile", "count", "slope", "bound"]
Better = Literal["higher", "lower"]
DecideOn = Literal["point", "bound"]
UNNAMED: Final = "unnamed"
"""The release while it has no name: it can be judged, and not decided on."""


@dataclass(frozen=True, slots=True)
class Metric(ByValue):
    """A metric that criteria may name: `unit`, which way is better, and what kind of figure it is.

    `tier` is the product KPI's (1 decides, 2 explains, 3 context), None for what is no product KPI; `demoted` may never
    decide. `quantile` is that of a quantile (0.99). `dimension` groups it on screen.
    """

    id: str
    title: str
    dimension: str
    unit: str
    better: Better
    statistic: Statistic
    quantile: float = math.nan
    tier: int | None = None
    demoted: bool = False
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Band(ByValue):
    """A condition on a value: `>=115` is low=115, closed; both ends where it is a range."""

    low: float = -math.inf
    high: float = math.inf
    low_closed: bool = True
    high_closed: bool = True
    text: str = ""

    def holds(self, value: float) -> bool:
        """Return whether `value` lies inside; NaN does nowhere."""
        above = value >= self.low if self.low_closed else value > self.low
        below = value <= self.high if self.high_closed else value < self.high
        return above and below


@dataclass(frozen=True, slots=True)
class Baseline(ByValue):
    """What a criterion compares with: a value of an evidence file that is pinned by its digest.

    With `margin` the criterion is one of non-inferiority: worse than the baseline by at most `margin`, absolute in the
    metric's unit or, `relative`, as a share of the baseline.
    """

    path: str
    sha256: str
    margin: float | None = None
    relative: bool = False


@dataclass(frozen=True, slots=True)
class Criterion(ByValue):
    """One condition of a profile. `passes` and `conditional` are bands on the metric's value in `unit`.

    `requires` names further metrics that must hold as well, each with its bands (P50 and P99 together). A `manual` one
    is marked by a person, with a note. `decide_on` bound: the interval must lie in the band, not only the value.
    `where` chooses evidence by tags (`batch` = "4"). `note` keeps the reading taken of a contradiction.
    What lies in neither band is FAIL; `fails` says where that is, for the linter to find gaps. One that does not
    `decides` is judged and shown, and neither blocks nor counts in the verdict of all.
    """

    id: str
    title: str
    dimension: str
    metric: str = ""
    unit: str = ""
    passes: Band | None = None
    conditional: Band | None = None
    requires: tuple[tuple[str, Band, Band | None], ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    min_n: int = 1
    max_age_s: float = math.inf
    decide_on: DecideOn = "point"
    baseline: Baseline | None = None
    manual: bool = False
    remedy: str = ""
    note: str = ""
    text: str = ""
    """The criterion as the profile has it, for the screen."""
    fails: Band | None = None
    statistic: str = ""
    decides: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """One item of a release checklist, settled by the worst of its criteria; by the sign-off itself where it has none.

    `criteria` are ids of the profile.
    """

    title: str
    criteria: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Profile:
    """The criteria of a release.

    `approvals` distinct people must say GO; `conditional_passes` lets CONDITIONAL through with an owner and a due date;
    `unsigned` allows a record without a signature. `allowed_signers` is a file, relative to the profile's. A
    `template` is to be filled in and judges nothing before. `text` is the whole file, `sha256` of its bytes.
    """

    id: str
    title: str
    criteria: tuple[Criterion, ...]
    approvals: int = 1
    conditional_passes: bool = False
    unsigned: bool = False
    allowed_signers: str = ""
    sha256: str = ""
    path: str = ""
    description: str = ""
    checklist: tuple[Check, ...] = ()
    template: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Paired(ByValue):
    """What a value's producer says of it against a base model's, task by task: the base's value, and both rest on `n`.

    `interval` is the 95 % one of the value - the base's, in the metric's unit.
    """

    model: str
    value: float
    n: int
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Item(ByValue):
    """One value of evidence, and where it stands: file, digest, and `pointer` (a JSON pointer, or a line) inside it.

    `n` counts what it rests on; a share says `successes` of `n`; `samples` are the single runs behind a mean; `counts`
    are (value, count) of what a quantile is taken of, so that its bound needs no assumption. `interval` is the
    producer's own 95 % one. `at` is when it was measured (s since the epoch), the file's mtime where nothing says so.
    `trouble` says why the value may not count (no usable value, contradicted by another file, from the future): a
    criterion that rests on such an item is never green. A value that is not usable is NaN.

    Tags that readers set: `role` (baseline, shipped, quantized, qlora, candidate; one of role baseline or shipped is
    there to be compared with, and is no candidate's value), `source` (soak, load, bench, prometheus), `batch`, `gpus`,
    `model`, `eval_set`, `measure`, `run`.
    """

    metric: str
    value: float
    unit: str
    path: str
    sha256: str
    pointer: str
    tool: str
    n: int | None = None
    successes: int | None = None
    samples: tuple[float, ...] = ()
    counts: tuple[tuple[float, int], ...] = ()
    interval: tuple[float, float] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    at: float = math.nan
    note: str = ""
    trouble: str = ""
    sources: tuple[tuple[str, str, str], ...] = ()
    """(path, sha256, pointer) of all that a derived value comes from (a loss of two files, the mean of five runs);
    empty where it is the one place named above, which otherwise is the first of them."""
    paired: Paired | None = None


@dataclass(frozen=True, slots=True)
class EvidenceFile(ByValue):
    """A file that was looked at: hashed and parsed from one reading. `problem` says why it gave nothing.

    `notes` say what was left aside, and why, in a file that gave something.
    """

    path: str
    sha256: str
    size: int
    mtime: float
    kind: str = ""
    problem: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest(ByValue):
    """All evidence at one moment. `digest` is over the files' digests; `listed` are items that must be there.

    An item that is listed (by an earlier freeze, or by a manifest file) and gone leaves its metric UNDERFED.
    """

    files: tuple[EvidenceFile, ...]
    items: tuple[Item, ...]
    digest: str
    taken_at: float
    listed: tuple[tuple[str, str], ...] = ()
    """(metric, path) of items that were promised."""
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark(ByValue):
    """What a person says of a manual criterion."""

    criterion: str
    passed: bool
    note: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Waiver(ByValue):
    """A CONDITIONAL (never a FAIL or UNDERFED) that somebody lets through, with owner and due date (s)."""

    criterion: str
    owner: str
    due: float
    reason: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Judgement(ByValue):
    """A criterion judged: `reason` in one sentence, and how many would have decided what is undecided (`needed_n`)."""

    criterion: Criterion
    verdict: Verdict
    reason: str
    value: float = math.nan
    unit: str = ""
    statistic: str = ""
    n: int | None = None
    interval: tuple[float, float] | None = None
    needed_n: int | None = None
    items: tuple[Item, ...] = ()
    waived: Waiver | None = None
    mark: Mark | None = None
    also: tuple[Judgement, ...] = ()
    """The judgements of what the criterion requires besides its metric."""


@dataclass(frozen=True, slots=True)
class Evaluation(ByValue):
    """A profile judged on a manifest. `ready`: nothing but people's GO is missing. `blockers` are sentences."""

    profile: Profile
    release: str
    manifest: Manifest
    judgements: tuple[Judgement, ...]
    verdict: Verdict
    blockers: tuple[str, ...]
    ready: bool
    at: float
    digest: str = ""
    """Over profile, evidence, marks and waivers: what a sign-off signs, and what any change of them changes."""
    pending: tuple[str, ...] = ()
    """What only people can add: checks that nobody marked yet, approvals that are missing. They block no readiness."""
    approvals: tuple[str, ...] = ()
    """Who said GO: distinct principals."""
    marks: tuple[Mark, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    """All that were handed in; the one that counts stands in its judgement."""

    def get(self, criterion: str) -> Judgement | None:
        """Return one judgement by its criterion's id."""
        return next((one for one in self.judgements if one.criterion.id == criterion), None)
