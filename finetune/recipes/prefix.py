"""Turn the tokens that many rows begin with into a cache that is computed once and used by all of them.

The instruction and its labels are often longer than the text to classify. Both scoring and tuning would
otherwise compute them again for every row; causal attention makes the outcome the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer


def prefix_cache(model: Any, prefix: Sequence[int]) -> Cache:
    """Run the prefix through the model; gradients flow through the cache when they are on."""
    cache = DynamicCache(config=model.config)
    if prefix:
        ids = torch.tensor([list(prefix)], device=model.device)
        model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


def repeat(cache: Cache, times: int) -> None:
    """Make a cache of one row into one of many equal rows."""
    # The call of beam search: the one that every kind of cache layer has.
    cache.reorder_cache(torch.zeros(times, dtype=torch.long))


def shares_prefix_in_training(model: Any) -> bool:
    """True where the cache only ever appends; layers with a state or a window overwrite, without a gradient."""
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)
