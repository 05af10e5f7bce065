"""GPU memory while a server works: each GPU's own peak, summed; null, never zero, where it was not read."""

import pytest
from benchmark.benched import benched
from hardware.documented import GIB, Box, no_driver, value

from mens_console.benchmark.memory import GpuWatch
from mens_console.hardware.session import GpuSession
from mens_console.hardware.trace import Replay

TOTAL = 80 * GIB


class Gpus:
    """GPUs whose memory a test sets."""

    def __init__(self, count):
        self.now, self._box = 0.0, Box(count)
        for index in range(count):
            self._box.data_centre_gpu(index)
        self._replay = None

    def hold(self, index, used):
        self.now += 1.0
        answer = {"version": 0x02000028, "total": TOTAL, "reserved": 0, "used": used, "free": TOTAL - used}
        self._box.tell("nvmlDeviceGetMemoryInfo", value(answer), f"@{index}", at=self.now, version=0x02000028)
        self._replay = Replay(self._box.document("memory"), lambda: self.now)

    def __getattr__(self, name):
        return getattr(self._replay, name)


async def peak(gpus, *during, indexes=()):
    """Return the peak of a run in which the GPUs come to hold these, and the watch."""
    watch = GpuWatch(indexes, GpuSession(lambda: gpus), every_s=0.005)
    watch.start()
    try:
        watch.begin()
        for index, used in during:
            gpus.hold(index, used)
            await watch.end()  # until it was looked at
        return await watch.end(), watch
    finally:
        watch.stop()


async def test_the_peak_is_the_sum_of_each_gpus_own():
    gpus = Gpus(2)
    gpus.hold(0, 3 * GIB)
    gpus.hold(1, 4 * GIB)
    found, watch = await peak(gpus, (0, 9 * GIB), (0, 2 * GIB), (1, 7 * GIB), (1, GIB))
    assert (found, watch.gpus, watch.problem) == (16 * GIB, 2, "")


async def test_only_those_that_serve_are_counted():
    gpus = Gpus(2)
    gpus.hold(0, 3 * GIB)
    found, watch = await peak(gpus, (1, 70 * GIB), (0, 5 * GIB), indexes=(0,))
    assert (found, watch.gpus) == (5 * GIB, 1)


async def test_a_run_forgets_the_one_before():
    gpus = Gpus(1)
    gpus.hold(0, 9 * GIB)
    watch = GpuWatch((), GpuSession(lambda: gpus), every_s=0.005)
    watch.start()
    try:
        watch.begin()
        assert await watch.end() == 9 * GIB
        gpus.hold(0, 2 * GIB)
        await watch.end()
        watch.begin()
        assert await watch.end() == 2 * GIB
    finally:
        watch.stop()


async def test_a_gpu_that_is_not_there_is_no_zero():
    gpus = Gpus(1)
    gpus.hold(0, 3 * GIB)
    found, watch = await peak(gpus, indexes=(0, 5))
    assert (found, watch.problem) == (None, "there is no GPU 5 on this box")


async def test_the_reports_of_five_runs():
    gpus = Gpus(1)
    gpus.hold(0, 8_410_000_000)
    watch = GpuWatch((), GpuSession(lambda: gpus), every_s=0.005)
    watch.start()
    try:
        document, measured, _ = await benched(runs=5, requests=0, watch=watch, watch_gpu=True)
    finally:
        watch.stop()
    assert document["memory"] == [{"gpus": 1, "peak_bytes": 8_410_000_000, "runs": [8_410_000_000] * 5}]
    assert measured.failures == []


async def test_no_driver_is_null_and_says_why():
    watch = GpuWatch((), GpuSession(lambda: Replay(no_driver(), lambda: 0.0)), every_s=0.005)
    watch.start()
    try:
        document, measured, _ = await benched(runs=2, requests=0, watch=watch, watch_gpu=True)
    finally:
        watch.stop()
    assert document["memory"] == [{"gpus": 1, "peak_bytes": None, "runs": []}]
    assert any("GPU memory: no NVIDIA driver" in one for one in measured.failures)


async def test_nothing_is_said_of_memory_that_nobody_watched():
    document, _, _ = await benched(runs=1, requests=0)
    assert document["memory"] == []


async def test_more_gpus_than_were_told_are_remarked_on():
    gpus = Gpus(2)
    gpus.hold(0, GIB)
    watch = GpuWatch((), GpuSession(lambda: gpus), every_s=0.005)
    watch.start()
    try:
        document, _, _ = await benched(runs=1, requests=0, watch=watch, watch_gpu=True)
    finally:
        watch.stop()
    assert any("all 2 GPUs of this box, and 1 serve" in one for one in document["notes"])
    assert document["memory"][0]["peak_bytes"] > GIB


@pytest.mark.parametrize("lost", [0, 1])
async def test_a_gpu_that_does_not_tell_leaves_the_sum_unknown(lost):
    gpus = Gpus(2)
    gpus.hold(0, GIB)
    gpus._box.lose(lost, 0.0)
    gpus.hold(1 - lost, 2 * GIB)
    found, watch = await peak(gpus)
    assert found is None
    assert f"GPU {lost}" in watch.problem
