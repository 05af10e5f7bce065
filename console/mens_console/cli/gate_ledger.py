"""`mens-console gate ledger`: the decisions that a ledger holds, and its head. Signatures are `gate verify`'s."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from mens_console.cli.errors import NO, OK
from mens_console.cli.gate_records import document, existing, ledger_option, ledger_path, loaded, record_lines

if TYPE_CHECKING:
    import argparse


def options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    ledger_option(parser, positional=True)
    parser.add_argument("--json", action="store_true", help="print the document mens-gate-records/1")
    parser.add_argument("--head", action="store_true", help="print its head alone, to be kept elsewhere")


def run(arguments: argparse.Namespace) -> int:
    """Print the records; 1 where the chain is broken."""
    from mens_console.cli.common import colour, complain
    from mens_console.cli.gate_records import standing_line
    from mens_console.cli.status import paint, plain
    from mens_console.gate.standing import standings

    chain = loaded(existing(ledger_path(arguments)))
    stands = standings(chain.entries) if chain.whole else ()
    if arguments.json:
        print(json.dumps(document(chain, stands), indent=2, ensure_ascii=False))
    elif arguments.head:
        print(chain.head)
    else:
        ink = paint if colour(sys.stdout) else plain
        for entry in chain.entries:
            print("\n".join(record_lines(entry, ink)))
        for one in stands:
            print(standing_line(one, ink, verified=False))
        print(f"head {chain.head}")
        print("signatures were not checked here: mens-console gate verify")
    for text in (*chain.problems, *chain.notes):
        complain(text)
    return OK if chain.whole else NO
