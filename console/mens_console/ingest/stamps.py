"""When a line of a log was written, by what stands at its beginning.

Text to seconds since the epoch; no files, no clock. A date that a line leaves out (glog and syslog tell no year,
`[14:32:00]` no day) is the latest that is not after `latest`, which the caller knows. Times without a zone are local.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final, NamedTuple

LOOKED_AT: Final = 200
"""Characters of a line in which its time is looked for; of a line of JSON 4096."""
SLACK_S: Final = 120.0
"""By how much a time may be after `latest`: clocks differ, and files are flushed late."""
ZONES_S: Final = 26 * 3600.0
"""By how much a whole date may be after it: a zone that is not told is at most so far away."""
_OLDEST_S: Final = 20 * 365.25 * 86_400
"""A bare number is a time only if it is at most so long before `latest`."""
_JSON_LOOKED_AT: Final = 4096

_MONTHS: Final = {
    name: i
    for i, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
_LEVEL: Final = r"(?:CRITICAL|FATAL|ERROR|ERR|WARNING|WARN|NOTICE|INFO|DEBUG|TRACE|SUCCESS)"
_BEFORE: Final = (
    r"(?:\s{0,8}(?:\[[^\[\]]{0,40}\]:?|\([^()]{0,60}\)|<\d{1,3}>\d?"
    rf"|(?:{_LEVEL}|{_LEVEL.lower()})\b:?|(?:time|ts|timestamp|t)=|[A-Za-z][\w./-]{{0,40}}[:|](?!\d)|[|-])){{0,4}}?"
)
"""What may stand before the time: a rank, a process, a level, a name with a colon."""
_CLOCK: Final = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_STAMP: Final = re.compile(
    rf"{_BEFORE}\s{{0,8}}[\[(\"']?(?:"
    rf"(?P<iso>\d{{4}}[-/]\d\d[-/]\d\d)[T _]+(?P<iso_clock>{_CLOCK})\s?(?P<iso_zone>Z|UTC|[+-]\d\d:?\d\d)?"
    rf"|[IWEFDVC](?P<glog>(?:20\d\d)?\d{{4}})\s+(?P<glog_clock>{_CLOCK})"
    rf"|(?P<short>\d\d-\d\d)\s(?P<short_clock>{_CLOCK})"
    rf"|(?P<us>\d\d/\d\d/\d\d(?:\d\d)?)\s(?P<us_clock>{_CLOCK})"
    rf"|(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s)?(?P<syslog>[A-Z][a-z]{{2}}\s+\d{{1,2}})\s(?P<syslog_clock>{_CLOCK})"
    r"(?:\s[A-Z]{3,4})?(?:\s(?P<syslog_year>20\d\d)\b)?"
    r"|(?P<epoch>1\d{9}(?:\d{3}|\d{6}|\d{9})?(?:\.\d{1,9})?)(?=$|[\s\]\"',|:;])"
    rf"|(?P<clock>(?<![\d:-]){_CLOCK})(?=$|[\s\]\"',|]|\s?-)"
    r")"
)
_USUAL: Final = re.compile(
    r"\[?(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):([0-5]\d):([0-5]\d(?:[.,]\d{1,9})?)\s?(Z|UTC|[+-]\d\d:?\d\d)?"
)
"""The form of most lines, which is looked for first because that takes half the time."""
_APACHE: Final = re.compile(
    rf"\[(?P<day>\d\d)/(?P<month>[A-Z][a-z]{{2}})/(?P<year>\d{{4}}):(?P<clock>{_CLOCK})\s?(?P<zone>[+-]\d{{4}})?"
)
_JSON: Final = re.compile(
    r'"(?:@?timestamp|time|ts|t|asctime|created|datetime|date)"\s*:\s*'
    r'(?:"(?P<text>[^"\\]{8,40})"|(?P<number>\d{10,19}(?:\.\d{1,9})?(?:e\d{1,2})?))',
    re.IGNORECASE,
)
_SGR: Final = re.compile(r"\x1b\[[\d;]{0,32}m")


class Stamp(NamedTuple):
    """Seconds since the epoch; with `bare`, seconds of an unknown day instead (the line told the time alone)."""

    value: float
    bare: bool = False


def stamp_of(line: str, latest: float) -> Stamp | None:
    """Return what a line tells of its time; None where it tells none, or one that cannot be.

    `latest` is a time that the line is not after, in seconds since the epoch, such as the file's last change.
    """
    usual = _USUAL.match(line)
    if usual is not None:
        return _usual(usual, latest)
    head = line[:LOOKED_AT]
    if "\x1b" in head:
        head = _SGR.sub("", head)
    if not any(map(str.isdecimal, head)):
        return None
    if head.lstrip()[:1] == "{":
        return _in_json(line, latest)
    match = _STAMP.match(head)
    if match is None:
        found = _APACHE.search(head, 0, 120)
        return None if found is None else _apache(found, latest)
    try:
        return _read(match, latest)
    except (ValueError, OverflowError, OSError):
        return None


def time_of(line: str, latest: float) -> float | None:
    """Return when a line was written, its day worked out where it tells none."""
    stamp = stamp_of(line, latest)
    return None if stamp is None else on_day(stamp, latest)


def on_day(stamp: Stamp, latest: float) -> float:
    """Return a stamp as seconds since the epoch, on the latest day that is not after `latest`."""
    if not stamp.bare:
        return stamp.value
    day = datetime.fromtimestamp(latest).replace(hour=0, minute=0, second=0, microsecond=0)
    value = (day + timedelta(seconds=stamp.value)).timestamp()
    return value if value <= latest + SLACK_S else (day + timedelta(days=-1, seconds=stamp.value)).timestamp()


def _usual(match: re.Match[str], latest: float) -> Stamp | None:
    year, month, day, hour, minute, second, zone = match.groups()
    try:
        value = _midnight(int(year), int(month), int(day), zone or "", int(hour))
    except (ValueError, OverflowError, OSError):
        return None
    value += int(minute) * 60 + float(second.replace(",", "."))
    return Stamp(value) if value <= latest + ZONES_S else None


def _read(match: re.Match[str], latest: float) -> Stamp | None:
    """Return the stamp of whichever form matched."""
    if (date := match["iso"]) is not None:
        return _whole(int(date[:4]), int(date[5:7]), int(date[8:]), match["iso_clock"], match["iso_zone"], latest)
    if (clock := match["clock"]) is not None:
        return Stamp(_seconds(clock), bare=True)
    if (number := match["epoch"]) is not None:
        return _epoch(number, latest)
    if (date := match["glog"]) is not None:
        year = int(date[:4]) if len(date) == 8 else None
        return _dated(year, int(date[-4:-2]), int(date[-2:]), match["glog_clock"], latest)
    if (date := match["short"]) is not None:
        return _dated(None, int(date[:2]), int(date[3:]), match["short_clock"], latest)
    if (date := match["us"]) is not None:
        return _dated(int(date[6:]) % 100 + 2000, int(date[:2]), int(date[3:5]), match["us_clock"], latest)
    month, day = match["syslog"].split()
    if (number := _MONTHS.get(month.lower(), 0)) == 0:
        return None
    year = int(match["syslog_year"]) if match["syslog_year"] else None
    return _dated(year, number, int(day), match["syslog_clock"], latest)


def _apache(match: re.Match[str], latest: float) -> Stamp | None:
    month = _MONTHS.get(match["month"].lower(), 0)
    try:
        return _whole(int(match["year"]), month, int(match["day"]), match["clock"], match["zone"], latest)
    except (ValueError, OverflowError, OSError):
        return None


def _in_json(line: str, latest: float) -> Stamp | None:
    """Return the time that a line of JSON has under one of the usual names."""
    match = _JSON.search(line, 0, _JSON_LOOKED_AT)
    if match is None:
        return None
    if match["number"] is not None:
        return _epoch(match["number"], latest)
    return stamp_of(match["text"], latest) if not match["text"].startswith("{") else None


def _seconds(clock: str) -> float:
    """Return seconds of the day; raises `ValueError` for a time that no day has."""
    hours, minutes, seconds = int(clock[:2]), int(clock[3:5]), float(clock[6:].replace(",", "."))
    if hours > 23 or minutes > 59 or seconds >= 61:
        raise ValueError(clock)
    return hours * 3600 + minutes * 60 + seconds


def _whole(year: int, month: int, day: int, clock: str, zone: str | None, latest: float) -> Stamp | None:
    """Return a stamp with a date, if it can be: a date after `latest` by more than any zone is a slip or a number."""
    value = _midnight(year, month, day, zone or "", int(clock[:2])) + _seconds(clock) % 3600
    return Stamp(value) if value <= latest + ZONES_S else None


@lru_cache(maxsize=512)
def _midnight(year: int, month: int, day: int, zone: str, hour: int) -> float:
    """Return when an hour began, in seconds since the epoch; hours, since days have 23 to 25 of them."""
    if not zone:
        return datetime(year, month, day, hour).timestamp()
    if zone in ("Z", "UTC"):
        return datetime(year, month, day, hour, tzinfo=UTC).timestamp()
    sign = -1 if zone[0] == "-" else 1
    away = sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return datetime(year, month, day, hour, tzinfo=timezone(away)).timestamp()


def _dated(year: int | None, month: int, day: int, clock: str, latest: float) -> Stamp | None:
    """Return a stamp whose year may be missing: then the latest that fits."""
    if year is not None:
        return _whole(year, month, day, clock, None, latest)
    this = datetime.fromtimestamp(latest + ZONES_S).year
    for year in range(this, this - 5, -1):  # a 29th of February may be years ago
        try:
            found = _whole(year, month, day, clock, None, latest)
        except ValueError:
            if (month, day) != (2, 29):
                raise
            continue
        if found is not None:
            return found
    return None


def _epoch(number: str, latest: float) -> Stamp | None:
    """Return a number of seconds, or of thousandths, millionths or billionths of them, if it can be a time."""
    value = float(number)
    while value > 1e11:
        value /= 1000
    return Stamp(value) if latest - _OLDEST_S <= value <= latest + ZONES_S else None
