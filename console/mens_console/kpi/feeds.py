"""Which field of which file feeds which KPI, under which name; what nothing feeds, and the nearest field seen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mens_console.ingest.aliases import nearest
from mens_console.signals.kpivalues import Feed
from mens_console.signals.readers import KPI

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mens_console.kpi.shard import Shard
    from mens_console.signals.readers import Reader


def kpi_feeds(shards: Sequence[Shard]) -> tuple[Feed, ...]:
    """Return a feed for every KPI that reads records of generation, none where there are no such records."""
    shards = [shard for shard in shards if shard.models]
    if not shards:
        return ()
    return tuple(_feed(reader, shards) for reader in KPI)


def _feed(reader: Reader, shards: Sequence[Shard]) -> Feed:
    for wanted in reader.wants:
        carried = [shard for shard in shards if wanted in shard.fields]
        if carried:
            rows = sum(shard.fields[wanted] for shard in carried)
            return Feed(reader.name, reader.wants[0], "fed", wanted, _files(carried), rows)
    for wanted in reader.wants:
        aliased = [shard for shard in shards if wanted in shard.spelled]
        if aliased:
            name = aliased[0].spelled[wanted]
            rows = sum(shard.fields.get(name, 0) for shard in aliased)
            return Feed(reader.name, wanted, "alias", name, _files(aliased), rows)
    seen: Counter[str] = Counter()
    for shard in shards:
        seen.update(shard.fields)
    near = next(iter(nearest(reader.wants[0].rpartition(".")[2], seen, 1)), "")
    where = [shard for shard in shards if near in shard.fields] if near else []
    return Feed(reader.name, reader.wants[0], "underfed", "", _files(where), seen.get(near, 0), near)


def _files(shards: Sequence[Shard]) -> str:
    return ", ".join(dict.fromkeys(shard.path for shard in shards))
