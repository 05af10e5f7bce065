"""What is searched, and how hints are passed on."""

from pathlib import Path

from mens_console.config import Settings
from mens_console.store.search import Search


class Beat:
    """Notes what it is told of."""

    hints = True

    def __init__(self):
        self.heard = []

    def hint(self, path):
        self.heard.append(path)
        return True


def test_hints_are_passed_on_in_their_order_each_once(tmp_path):
    beat = Beat()
    search = Search([tmp_path], Settings(), beat, lambda: None, clock=lambda: 0.0, eager=False)
    paths = [Path(f"/box/{name}") for name in ["zebra", "apple", "mango", "berry", "cherry", "fig", "grape", "kiwi"]]
    search.hint(paths)
    search.hint(paths[2:4])
    search.hear(0.0, [Path("/box/last"), paths[0]])
    assert beat.heard == [*map(str, paths), "/box/last"]
