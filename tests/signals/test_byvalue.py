"""Records that hold NaN are equal to themselves and to their twins, on every version of Python."""

import dataclasses
import importlib
import inspect
import math
import pkgutil
from dataclasses import dataclass, field, replace

import pytest

from mens_console.signals.byvalue import ByValue

ROOMS = ("signals", "store", "ingest", "soak", "notify", "hardware", "kpi", "evaluation")


@dataclass(frozen=True, slots=True)
class Reading(ByValue):
    name: str
    value: float = math.nan
    seen: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Single(ByValue):
    value: float = math.nan


@dataclass(frozen=True, slots=True)
class Named(Reading):
    unit: str = ""


def test_what_was_not_measured_is_no_news():
    assert Reading("loss") == Reading("loss")
    assert Reading("loss", math.nan, 1) == replace(Reading("loss"), seen=2)
    assert (Reading("loss"), 1) == (Reading("loss"), 1)
    assert hash(Reading("loss")) == hash(Reading("loss"))
    assert Single() == Single()
    assert Named("loss", unit="nats") == Named("loss", unit="nats")


def test_what_differs_is_not_equal():
    assert Reading("loss") != Reading("lr")
    assert Reading("loss", 1.0) != Reading("loss")
    assert Single(1.0) != Single(2.0)
    assert Named("loss") != Reading("loss")
    assert Reading("loss") != ("loss", math.nan)
    assert Named("loss", unit="nats") != Named("loss")


def records():
    """Yield every frozen record of these rooms that has a number which may be NaN."""
    for room in ROOMS:
        package = importlib.import_module(f"mens_console.{room}")
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            for one in vars(module).values():
                if inspect.isclass(one) and one.__module__ == info.name and dataclasses.is_dataclass(one):
                    settings = one.__dataclass_params__
                    floats = any("float" in str(f.type) for f in dataclasses.fields(one) if f.compare)
                    if settings.eq and settings.frozen and floats:
                        yield one


@pytest.mark.parametrize("record", list(records()), ids=lambda one: f"{one.__module__}.{one.__name__}")
def test_every_record_with_numbers_compares_so(record):
    assert issubclass(record, ByValue)
