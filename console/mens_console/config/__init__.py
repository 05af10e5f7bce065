"""What the operator set, and where: command line, environment, user file, and a file beside the runs.

Importing this costs the standard library only; validation (`model`) is loaded when a file is really there.
"""

from mens_console.config.settings import ConfigError, NotifySettings, Problem, Settings

__all__ = ["ConfigError", "NotifySettings", "Problem", "Settings"]
