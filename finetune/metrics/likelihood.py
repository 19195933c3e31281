"""Turn how likely a model finds texts into perplexity and bits per byte; lower is better in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TextLikelihood:
    """How likely one text is."""

    log_likelihood: float
    """Sum over its tokens, in nats."""
    tokens: int
    """That were predicted."""
    utf8_bytes: int


def perplexity(texts: Sequence[TextLikelihood]) -> float:
    """exp of the mean loss a token. Only models with one tokenizer can be compared by it."""
    loss_nats = -sum(text.log_likelihood for text in texts) / sum(text.tokens for text in texts)
    return math.exp(loss_nats) if loss_nats < math.log(float("1e300")) else math.inf


def bits_per_byte(texts: Sequence[TextLikelihood]) -> float:
    """Bits to encode a byte of the texts, whatever the tokenizer. Gao et al., "The Pile" (2020)."""
    loss_nats = -sum(text.log_likelihood for text in texts)
    return loss_nats / math.log(2) / sum(text.utf8_bytes for text in texts)
