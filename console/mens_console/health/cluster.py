"""Spark itself: whether it can run here, started quietly with our modules on its workers, and what it failed of.

It is configured where it always is (`spark-defaults.conf`, `$PYSPARK_SUBMIT_ARGS`, `spark-submit`); without any of
that, the cores of this machine are the cluster. Nothing here knows what is counted.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import mens_console
import mens_contracts.aliases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Progress = Callable[[int, int], None]

_SENT: Final = ("", "health", "ingest", "ingest/formats", "signals")
"""Packages whose modules workers need: what reads and counts, nothing that draws or watches."""
_LOG4J: Final = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
logger.gateway.name = org.apache.spark.api.python.PythonGatewayServer
logger.gateway.level = error
logger.executor.name = org.apache.spark.executor.Executor
logger.executor.level = off
logger.tasks.name = org.apache.spark.scheduler.TaskSetManager
logger.tasks.level = off
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = spark: %m%n%ex{0}
"""
_POLL_S: Final = 0.5


class SparkError(RuntimeError):
    """Spark cannot do it; the message is one line that says why and what cures it."""


def require() -> None:
    """Raise `SparkError` where PySpark or Java is missing."""
    if importlib.util.find_spec("pyspark") is None:
        raise SparkError("the engine spark needs PySpark: pip install 'mens-console[spark]'")
    home = os.environ.get("JAVA_HOME")
    if home and not os.access(Path(home) / "bin/java", os.X_OK):
        raise SparkError(f"the engine spark needs Java, and $JAVA_HOME ({home}) holds none: set it right, or unset it")
    if not home and shutil.which("java") is None:
        raise SparkError(
            "the engine spark needs Java 17 or newer, and there is none on PATH: "
            "apt install openjdk-17-jre-headless, or set $JAVA_HOME"
        )


@contextlib.contextmanager
def started(conf: Mapping[str, str]) -> Iterator[Any]:
    """Start Spark, send it our modules, and stop it at the end. Raises `SparkError`."""
    from pyspark import SparkConf, SparkContext

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    with tempfile.TemporaryDirectory(prefix="mens-spark-") as folder:
        settings = {**_defaults(Path(folder), conf), **conf}
        try:
            context = SparkContext(conf=SparkConf().setAll(list(settings.items())))
        except Exception as error:
            why = str(error).strip().partition("\n")[0]
            raise SparkError(f"Spark did not start: {why} (Java 17 or newer? `java -version` tells)") from error
        try:
            with explained():
                context.addPyFile(str(_modules(Path(folder))))
            yield context
        finally:
            context.stop()


def _defaults(folder: Path, conf: Mapping[str, str]) -> dict[str, str]:
    """Return our settings: no page of its own, no chatter, and no port for others where this machine is the cluster."""
    log = folder / "log4j2.properties"
    log.write_text(_LOG4J)
    settings = {
        "spark.app.name": "mens-console health",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.executorEnv.PYTHONSAFEPATH": "1",  # nothing is imported from a worker's current directory
        "spark.executorEnv.OPENBLAS_NUM_THREADS": "1",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile=file:{log}",
    }
    elsewhere = {"PYSPARK_SUBMIT_ARGS", "SPARK_CONF_DIR", "SPARK_HOME", "MASTER"} & os.environ.keys()
    if conf.get("spark.master", "" if elsewhere else "local").partition("[")[0] == "local":
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ.setdefault("SPARK_LOCAL_HOSTNAME", "localhost")  # no resolver is asked for our name
    return settings


def _modules(folder: Path) -> Path:
    """Pack the modules that workers need; return the archive."""
    root = Path(mens_console.__file__).parent
    archive = folder / "mens_console_workers.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for package in _SENT:
            for path in sorted((root / package).glob("*.py")):
                if package or path.name == "__init__.py":
                    out.write(path, Path("mens_console") / package / path.name)
        for module in (mens_contracts, mens_contracts.aliases):
            path = Path(module.__file__ or "")
            out.write(path, Path("mens_contracts") / path.name)
    return archive


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn what a job failed of into one line."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException, EOFError, OSError) as error:
        raise SparkError(_why(str(error))) from error


def _why(text: str) -> str:
    """Return the line of a failed job's many that says what happened."""
    lines = [line.strip() for line in text.splitlines()]
    for line in lines:
        if "ChangedError: " in line:
            return line.partition("ChangedError: ")[2]
        if "on a stopped SparkContext" in line:
            return "Spark has ended: is its master (--master in $PYSPARK_SUBMIT_ARGS) there, and does it take work?"
        if "ModuleNotFoundError" in line:
            return f"Spark's workers need Python with numpy, msgspec and orjson: {line} (see $PYSPARK_PYTHON)"
    told = [line for line in lines if "Error: " in line or "Exception: " in line or "OutOfMemory" in line]
    last = next((line for line in reversed(told) if not line.startswith(("at ", "Caused by"))), "")
    return f"Spark's job failed: {last or next(filter(None, lines), 'it does not say why')}"


class Told:
    """Tells how far the two passes are, from a thread of its own, as Spark itself counts tasks."""

    def __init__(self, context: Any, tasks: int, total: int, progress: Progress) -> None:
        self._tracker = context.statusTracker()
        self._tasks = max(tasks, 1)
        self._total = total
        self._progress = progress

    @contextlib.contextmanager
    def during(self, number: int) -> Iterator[None]:
        """Tell of pass `number` (0 or 1) while the block runs."""
        over = threading.Event()
        thread = threading.Thread(target=self._tell, args=(number, over), name="spark-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        self._progress(self._total * (number + 1) // 2, self._total)

    def _tell(self, number: int, over: threading.Event) -> None:
        with contextlib.suppress(Exception):  # a count that cannot be had is no reason to fail
            while not over.wait(_POLL_S):
                stages = [self._tracker.getStageInfo(stage) for stage in self._tracker.getActiveStageIds()]
                made = max((s.numCompletedTasks for s in stages if s and s.numTasks == self._tasks), default=None)
                if made is not None:
                    self._progress(int(self._total * (number + made / self._tasks) / 2), self._total)
