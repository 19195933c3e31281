"""How many requests and cards: what is said to fit does, and one more does not."""

from __future__ import annotations

from index.catalogue import Catalogue
from index.fitting import cards_needed, cheapest_cards, largest_batch
from index.footprint import RESERVED_GIB, Footprint, serving

CATALOGUE = Catalogue.load()
QWEN = CATALOGUE.models["Qwen/Qwen3-8B"]


def need(total_gib: float) -> Footprint:
    return Footprint(model="m", weights_gib=total_gib, total_gib=total_gib, basis="")


def test_the_largest_batch_just_fits() -> None:
    batch = largest_batch(QWEN, "int8", 24)
    assert batch is not None
    fits, over = (serving(QWEN, quantization="int8", batch=size) for size in (batch, batch + 1))
    assert fits is not None
    assert over is not None
    assert fits.fits(24)
    assert not over.fits(24)


def test_no_batch_fits_where_the_weights_do_not() -> None:
    assert largest_batch(QWEN, "none", 12) is None


def test_an_8_bit_cache_leaves_room_for_more_requests() -> None:
    sixteen, eight = (largest_batch(QWEN, "nf4", 24, kv_bits=bits) for bits in (16, 8))
    assert sixteen is not None
    assert eight is not None
    assert eight > 1.5 * sixteen


def test_a_model_is_spread_evenly_over_cards_that_talk_to_each_other() -> None:
    assert cards_needed(need(24 - RESERVED_GIB), 24) == 1
    assert cards_needed(need(24), 24) == 2
    assert cards_needed(need(60), 24) == 4
    assert cards_needed(need(24 * 8), 24) is None


def test_the_cheapest_cards_hold_it_and_larger_models_are_never_cheaper() -> None:
    rents = []
    for size in (2, 10, 20, 70, 150, 600):
        cards = cheapest_cards(need(size))
        assert cards is not None
        assert cards_needed(need(size), cards.gpu.available_gib or 0) == cards.count
        rents.append(cards.usd_per_hour)
    assert rents == sorted(rents)
    assert cheapest_cards(need(1e6)) is None
