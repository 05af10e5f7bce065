"""`python -m mens_console`: the same as the `mens-console` command.

Python puts the current directory first on the path for `-m`; it is taken off before anything else is imported.
"""

import sys

if not sys.flags.safe_path:
    del sys.path[0]

from mens_console.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
