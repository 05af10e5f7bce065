"""The way from an alert about generation to the batch and the indicator that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mens_console.signals.healthalerts import RULE_OF
from mens_console.store.snapshot import GENERATION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.screens.moment import Moment
    from mens_console.signals.generation import Indicator
    from mens_console.store.snapshot import HealthView


class Place(NamedTuple):
    """Where an alert leads: the id of a log, the key of a batch's row ("" for the newest), and an indicator."""

    view: str
    batch: str
    indicator: Indicator | None


def is_about_generation(entity: str) -> bool:
    """Say whether an alert about `entity` is about attempt logs."""
    return entity.startswith(f"{GENERATION}:")


def place_of(views: Sequence[HealthView], moment: Moment) -> Place | None:
    """Return where an alert about attempt logs leads, None where its log is gone."""
    view = max((one for one in views if one.owns(moment.run_id)), key=lambda one: len(one.id), default=None)
    if view is None:
        return None
    run = moment.run_id.removeprefix(f"{GENERATION}:{view.id}").removeprefix("/")
    indicator = next((name for name, rule in RULE_OF.items() if rule in moment.metrics), None)
    return Place(view.id, "" if moment.step is None else f"{moment.step} {run}", indicator)
