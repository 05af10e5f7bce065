import pytest

from mens_console.cli.main import main


@pytest.fixture(autouse=True)
def _nobody_elses_settings(tmp_path, monkeypatch):
    for name in ("MENS_RUNS", "MENS_CONFIG", "MENS_DEBUG", "NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("TERM", "xterm-256color")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def box(tmp_path):
    folder = tmp_path / "box"
    folder.mkdir()
    return folder


@pytest.fixture
def cli(capsys):
    """Run a command line; return its exit status, standard output and standard error."""

    def run(*words):
        status = main([str(word) for word in words])
        out, err = capsys.readouterr()
        return status, out, err

    return run
