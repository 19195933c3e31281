"""Fused kernels: where they are used, what a result says, and that a model goes without that answers otherwise."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from transformers.models.llama import modeling_llama

from finetune.recipes import kernels
from finetune.recipes.kernels import fuses_loss, put_in, use_fused_kernels
from tests.finetune import tiny_models as tiny

CUDA = torch.device("cuda")


def installed(monkeypatch: pytest.MonkeyPatch, apply: Any) -> None:
    """A liger-kernel that does what the test says."""
    names = ("liger_kernel", "liger_kernel.transformers", "liger_kernel.transformers.monkey_patch")
    modules = [ModuleType(name) for name in names]
    modules[-1].MODEL_TYPE_TO_APPLY_LIGER_FN = {"llama": apply}  # type: ignore[attr-defined]
    modules[-1]._apply_liger_kernel_to_instance = apply  # type: ignore[attr-defined]
    for module in modules:
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "0.8.5")


def test_nothing_changes_on_a_cpu() -> None:
    model = tiny.causal()
    found = use_fused_kernels(model, torch.device("cpu"), "causal")
    assert (found.said, found.must_reload) == ("none: they need a CUDA device", False)
    assert not fuses_loss(model)


def test_without_the_package_and_for_other_kinds_it_is_said_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert "is not installed" in use_fused_kernels(tiny.causal(), CUDA, "causal").said
    assert "for causal models" in use_fused_kernels(tiny.classifier(), CUDA, "classifier").said


def test_kernels_that_leave_the_answers_as_they_are_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []
    installed(monkeypatch, lambda _, **options: given.append(options))
    model = tiny.causal()
    found = put_in(model)
    assert (found.said, found.must_reload) == ("liger-kernel 0.8.5", False)
    assert given == [{"cross_entropy": False, "fused_linear_cross_entropy": False}]
    assert fuses_loss(model)
    model.config.logits_scaling = 8.0
    assert not fuses_loss(model)


def test_kernels_that_change_the_answers_are_taken_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(model: Any, **_: Any) -> None:
        modeling_llama.apply_rotary_pos_emb = lambda _, k, *__, **___: (k.repeat_interleave(2, 1), k)
        model.model.norm.weight.data.mul_(3)

    before = modeling_llama.apply_rotary_pos_emb
    installed(monkeypatch, wrong)
    model = tiny.causal()
    found = put_in(model)
    assert found.must_reload
    assert "logits differ by" in found.said
    assert modeling_llama.apply_rotary_pos_emb is before
    assert not fuses_loss(model)


def test_kernels_that_do_not_compile_are_taken_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any, **__: Any) -> None:
        raise RuntimeError("no compiler")

    installed(monkeypatch, broken)
    found = put_in(tiny.causal())
    assert (found.said, found.must_reload) == ("none: liger-kernel 0.8.5 failed (RuntimeError)", True)


def test_an_architecture_that_they_do_not_know_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, None)
    model = tiny.causal()
    model.config.model_type = "novel"
    assert kernels.put_in(model).said == "none: liger-kernel does not know novel"
