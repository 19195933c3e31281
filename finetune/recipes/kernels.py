"""Put liger-kernel's fused kernels into a model that is to be tuned on a CUDA device, where they fit it and are installed.

RMSNorm, RoPE and the gated MLP become one kernel each; the loss over long answers is computed from the last hidden states
a piece at a time, so their logits, the largest tensor of all, never exist. Nothing changes on a CPU. The model must answer
with the kernels as it did without, or they are taken out again; a result always says which it was.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

logger = logging.getLogger(__name__)

_APART = {torch.float32: 1e-3, torch.bfloat16: 1.0, torch.float16: 0.2}
"""As far as logits may differ: they reach tens, and are rounded in another order."""
_PROBE_TOKENS = 16
_SCALES_LOGITS = ("logits_scaling", "logit_scale", "final_logit_softcapping")
"""What some configurations do to logits behind the last layer; the fused loss would leave it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernels:
    """Whether fused kernels are in the model."""

    said: str
    """For the environment of a result."""
    must_reload: bool = False
    """They had to be taken out again, which the layers that they were in do not survive."""


def use_fused_kernels(model: Any, device: torch.device, kind: str) -> Kernels:
    """Put them in where all that they need is there."""
    if device.type != "cuda":
        return Kernels(said="none: they need a CUDA device")
    if kind != "causal":
        return Kernels(said="none: they are for causal models")
    if importlib.util.find_spec("liger_kernel") is None:
        return Kernels(said="none: liger-kernel is not installed (pip install 'shortlist-bot[gpu]')")
    return put_in(model)


def put_in(model: Any) -> Kernels:
    """Put them into a model of a known architecture, and compare what it answers."""
    from liger_kernel.transformers.monkey_patch import (  # noqa: PLC0415 - an extra, and slow to import
        MODEL_TYPE_TO_APPLY_LIGER_FN,
        _apply_liger_kernel_to_instance,
    )

    made = model.config.model_type
    if made not in MODEL_TYPE_TO_APPLY_LIGER_FN:
        return Kernels(said=f"none: liger-kernel does not know {made}")
    version = importlib.metadata.version("liger-kernel")
    without = _probe(model)
    with _undone_on_failure(model) as undo:
        try:
            _apply_liger_kernel_to_instance(model, cross_entropy=False, fused_linear_cross_entropy=False)
            apart = float((_probe(model) - without).abs().max())
        except Exception as error:  # a kernel that does not compile raises whatever its compiler does
            logger.warning("fused kernels taken out", exc_info=True)
            undo()
            return Kernels(
                said=f"none: liger-kernel {version} failed ({type(error).__name__})", must_reload=True
            )
        if not apart <= _APART[without.dtype]:
            undo()
            said = f"none: with liger-kernel {version} logits differ by {apart:.2g}"
            return Kernels(said=said, must_reload=True)
    model.has_fused_kernels = True
    return Kernels(said=f"liger-kernel {version}")


@torch.inference_mode()
def _probe(model: Any) -> torch.Tensor:
    ids = torch.arange(1, _PROBE_TOKENS + 1, device=model.device) % model.config.get_text_config().vocab_size
    logits: torch.Tensor = model(input_ids=ids[None], use_cache=False).logits
    return logits


@contextmanager
def _undone_on_failure(model: Any) -> Iterator[Callable[[], None]]:
    """Hands out what gives the model's own module back its functions: kernels replace some there too."""
    module = sys.modules[type(model).__module__]
    before = dict(vars(module))
    yield lambda: vars(module).update(before)


def fused_loss(model: Any, ids: torch.Tensor, predicts: torch.Tensor, **more: Any) -> torch.Tensor:
    """Cross-entropy summed over the tokens behind those that predict, without their logits.

    `predicts`: true where the next token counts; `more` goes to the model.
    """
    from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss  # noqa: PLC0415 - an extra

    whole = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = whole.base_model(input_ids=ids, **more).last_hidden_state[predicts]
    head = whole.get_output_embeddings()
    targets = ids.roll(-1, dims=1)[predicts]
    loss: torch.Tensor = LigerFusedLinearCrossEntropyLoss(reduction="sum")(
        head.weight, hidden, targets, head.bias
    )
    return loss


def fuses_loss(model: Any) -> bool:
    """Whether `fused_loss` gives the loss of this model: kernels are in it, and its logits are scaled by nothing."""
    return bool(getattr(model, "has_fused_kernels", False)) and not any(
        getattr(model.config.get_text_config(), name, None) not in (None, 1, 1.0) for name in _SCALES_LOGITS
    )
