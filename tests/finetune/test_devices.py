"""What jobs may lease, from a setting and from the driver's words."""

from __future__ import annotations

import pytest

from finetune.devices import discover, read_listing
from index.errors import BadSetting

LISTING = "0, GPU-aaaa-1, 81920\n1, GPU-bbbb-2, 24576\nNo devices were found\n"


def test_pretended_gpus_have_a_name_a_size_and_what_cuda_is_told() -> None:
    first, second = discover("gpu0:24, gpu3:80.5", {})

    assert (first.name, first.memory_gib, first.visible, first.kind) == ("gpu0", 24.0, "0", "gpu")
    assert (second.name, second.memory_gib, second.visible) == ("gpu3", 80.5, "3")
    assert first.key != second.key


def test_the_cpu_hides_every_gpu_from_its_job() -> None:
    [small] = discover("cpu:16", {})
    [whole] = discover("cpu", {})

    assert (small.kind, small.memory_gib, small.visible) == ("cpu", 16.0, "")
    assert whole.memory_gib > 0
    assert small.key == whole.key


@pytest.mark.parametrize("setting", ["", "tpu", "gpu0", "gpu0:24,gpu0:24", "gpu0:24,cpu", "gpu0:-1", "cpu:"])
def test_a_setting_that_names_no_devices_is_refused_with_an_example(setting: str) -> None:
    with pytest.raises(BadSetting, match="gpu0:24,gpu1:24"):
        discover(setting, {})


def test_the_drivers_listing_is_read_and_its_other_words_are_not() -> None:
    first, second = read_listing(LISTING)

    assert (first.key, first.name, first.memory_gib, first.visible) == (
        "GPU-aaaa-1",
        "gpu0",
        80.0,
        "GPU-aaaa-1",
    )
    assert second.memory_gib == 24.0
