"""The digest of an absence as plain JSON values (`mens-digest/1`); what is in it is `digest`'s to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mens_console.ingest.text import safe_text
from mens_console.store.report import moment

if TYPE_CHECKING:
    from mens_console.store.digest import AlertNews, Digest, RunNews

SCHEMA: Final = "mens-digest/1"


def digest_document(found: Digest) -> dict[str, Any]:
    """Return the digest as plain JSON values (`mens-digest/1`); unknown times are null."""

    def run(news: RunNews) -> dict[str, Any]:
        told = {"id": safe_text(news.run_id), "name": safe_text(news.name), "state": news.state}
        return {**told, "at": moment(news.wall), "step": news.step, "evidence": safe_text(news.evidence)}

    def alert(news: AlertNews) -> dict[str, Any]:
        view = news.alert
        return {
            "run": safe_text(news.run_id), "entity": safe_text(view.entity), "fingerprint": view.fingerprint,
            "rule": view.rule, "severity": str(view.severity), "state": str(view.state), "at": moment(news.wall),
            "resolved_at": moment(view.resolved_at), "message": safe_text(view.message),
            "acknowledged": view.acknowledged, "name": safe_text(news.name), "count": view.count, "held": view.held,
            "since": moment(view.since), "last_seen": moment(view.last_seen), "recalled": news.recalled,
        }  # fmt: skip

    return {
        "schema": SCHEMA,
        "left_at": moment(found.left_at),
        "now": moment(found.now),
        "ended": [run(news) for news in found.ended],
        "begun": [run(news) for news in found.begun],
        "resumed": [run(news) for news in found.resumed],
        "fired": [alert(news) for news in found.fired],
        "resolved": [alert(news) for news in found.resolved],
        "checkpoints": [
            {"run": safe_text(c.run_id), "step": c.step, "bytes": c.bytes, "at": moment(c.wall)}
            for c in found.checkpoints
        ],
        "quiet": found.quiet,
        "going": found.going,
        "still": found.still,
        "messages": {
            "delivered": found.messages.delivered,
            "lost": found.messages.lost,
            "routes": [safe_text(route) for route in found.messages.routes],
        },
    }
