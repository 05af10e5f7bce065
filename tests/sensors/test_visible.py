"""CUDA_VISIBLE_DEVICES as CUDA reads it, on traces of boxes with eight GPUs and with slices of one."""

import pytest
from hardware.documented import ALL, TRACES, error, replay

from mens_console.hardware.trace import Replay
from mens_console.sensors.nvml import Nvml
from mens_console.sensors.visible import visible


def nvml_of(name):
    module = replay(TRACES / f"{name}.json") if isinstance(name, str) else Replay(name, lambda: 0.0)
    nvml = Nvml(module)
    assert nvml.open() == ""
    return nvml


@pytest.fixture(scope="module")
def eight():
    return nvml_of("dgx")


def uuid(index):
    return f"GPU-0000000{index}-1111-2222-3333-444444444444"


@pytest.mark.parametrize(
    ("value", "indices"),
    [
        (None, [0, 1, 2, 3, 4, 5, 6, 7]),
        ("", []),
        ("3", [3]),
        ("5, 1", [5, 1]),
        ("2,-1,3", [2]),
        ("-1", []),
        ("0,9,1", [0]),
        ("1,1,2", [1]),
        ("NoDevFiles", []),
        (uuid(6), [6]),
        (uuid(6).lower(), [6]),
        ("GPU-00000004,0", [4, 0]),
        ("GPU-0000000", []),  # the beginning of all of them names none
        ("GPU-", []),
        ("MIG-00000000-1111", []),
        ("²", []),
    ],
)
def test_what_a_process_may_use(eight, value, indices):
    assert [card.index for card in visible(eight, value)] == indices


def test_cuda_itself_knows_best_in_which_order_it_counts(eight):
    told = [uuid(7).removeprefix("GPU-"), uuid(2).removeprefix("GPU-")]
    assert [card.index for card in visible(eight, "0,1", told)] == [7, 2]
    assert [card.index for card in visible(eight, "0,1", ["", ""])] == [0, 1]
    assert [card.index for card in visible(eight, "0,1", ["unheard-of", told[0]])] == [0, 1]


def test_slices_in_both_spellings():
    nvml = nvml_of("mig")
    (one,) = visible(nvml, "MIG-00000001-1111-2222-3333-444444444444")
    assert (one.index, one.mig_instance, one.mig_uuid) == (0, 2, "MIG-00000001-1111-2222-3333-444444444444")
    assert visible(nvml, "MIG-00000009-1111-2222-3333-444444444444") == []
    document = ALL["mig"]()
    for place, compute in ((0, 0), (1, 3)):
        document["calls"][f'nvmlDeviceGetComputeInstanceId("@0.{place}")'] = [[0.0, {"value": compute}]]
    older = nvml_of(document)
    (one,) = visible(older, f"MIG-{uuid(0)}/2/3")
    assert one.mig_instance == 2
    assert visible(older, f"MIG-{uuid(0)}/2/0") == visible(older, f"MIG-{uuid(1)}/2/3") == []


def test_a_gpu_that_is_lost_leaves_its_number_to_nobody():
    document = ALL["dgx"]()
    document["calls"]["nvmlDeviceGetHandleByIndex(1)"] = [[0.0, error(15)]]
    assert [card.index for card in visible(nvml_of(document), "0,1,2")] == [0]
    assert 1 not in [card.index for card in visible(nvml_of(document), None)]
