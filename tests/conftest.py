"""What every test starts from: folders of the user that are its own, so that none is read from or written to."""

import signal

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something of the box, not of the program.
settings.register_profile("any-box", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-box")


@pytest.fixture(scope="session", autouse=True)
def signals_of_a_terminal():
    """Hear signals as in a terminal, though whoever started the tests ignores them (nohup, a shell's background)."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(scope="session", autouse=True)
def folders_of_nobody(tmp_path_factory):
    """Give the whole session, and every program that it starts, a state and a cache folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        yield
