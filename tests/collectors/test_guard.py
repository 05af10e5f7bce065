"""One failing collector is off, with one warning; what is not its fault passes."""

import warnings

import pytest

from mens_console.collectors.guard import CollectorWarning, Guard


def test_a_failure_is_told_once_and_stays_inside():
    guard = Guard()
    with pytest.warns(CollectorWarning, match=r"'lora' is off.*ValueError: bad.*Training goes on") as told:
        for _ in range(3):
            with guard("lora"):
                raise ValueError("bad")
    assert len(told) == 1
    assert guard.off("lora")
    assert not guard.off("tokens")
    assert guard.reason("lora") == "ValueError: bad"
    assert guard.reason("tokens") == ""


def test_the_end_of_the_program_passes():
    guard = Guard()
    for error in (KeyboardInterrupt, SystemExit):
        with pytest.raises(error), guard("lora"):
            raise error
    assert not guard.off("lora")


def test_what_is_off_is_not_run_again():
    guard, calls = Guard(), []

    def fails():
        calls.append(1)
        raise OSError

    with pytest.warns(CollectorWarning, match="OSError"):
        assert [guard.run("x", fails), guard.run("x", fails)] == [None, None]
    assert len(calls) == 1
    assert guard.run("y", max, 2, 3) == 3


def test_an_error_that_cannot_be_printed():
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError

    with pytest.warns(CollectorWarning, match="Odd"), Guard()("x"):
        raise Odd


def test_warnings_that_are_errors_stop_nothing():
    guard = Guard()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with guard("x"):
            raise ValueError
    assert guard.off("x")
