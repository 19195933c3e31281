"""A spec -> what it will take: time, accelerator hours, memory, dollars; an estimate before anything is started.

Time is what the same model took here before, where it was measured; else a reckoning from arithmetic, which is
right within a factor of a few. A race may stop earlier and a search may be cut short, so this is what it takes at
most. Unknown is None: no figure is made up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median

from sqlalchemy import Engine

from finetune import data, estimate
from finetune.admission import Admission, admission, tokens_at_most
from finetune.device import Device
from finetune.models import canonical_name, models_folder
from finetune.providers import hosted_name
from finetune.spec import Candidate, DatasetTask, EvaluationSpec, TuningSpec
from index import measurements
from index.bilingual import Bilingual
from index.catalogue.gpus import find_gpu
from index.catalogue.home import open_catalogue
from index.prices import TokenPrice, price_at
from index.records import ModelFact

LOAD_S = 15.0
"""To start a process and read a small model: what every run takes before its first row."""
_ANSWER_TOKENS: Mapping[DatasetTask, int] = {
    "classification": 16, "multiple-choice": 16, "question-answering": 48, "generation": 200,
    "extraction": 160, "language-modelling": 0, "chat": 400,
}  # fmt: skip
"""Typical length of an answer; for labels and choices, of all of them together, which are read, not written."""
_WRITES = frozenset({"question-answering", "generation", "extraction", "chat"})
_PROMPT_TOKENS = 40
"""Of the instruction and the chat template, around each row."""
_CPU_GFLOPS = 50.0
"""What two cores reached with a 135M model in 32 bits, see docs/benchmarks.md."""
_GPU_EFFICIENCY = 0.25
"""Share of the peak arithmetic that one row at a time reaches: an assumption."""
_SLOWER: Mapping[str, float] = {"int8": 2.0, "nf4": 1.4}
_STEP_FLOP_A_WEIGHT = 6.0
"""Forward, backward through frozen weights, and computing activations again."""
_HOSTED_ROW_S = 1.0
"""Of a hosted model, several of which are asked at a time: an assumption."""
_JUDGED_TIMES = 2
"""Each pair of answers is shown to the judge in both orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What a job takes at most. None where nobody can tell before it has begun."""

    device: Device
    seconds: float | None
    memory_gib: float | None
    api_usd: float | None = 0.0
    """What hosted models charge."""
    device_usd: float | None = 0.0
    """The hours of the accelerator at the usual rent; 0 for processors that are there anyway."""
    was_measured: bool = False
    """True when the time rests on earlier runs here, not on arithmetic."""
    refusals: tuple[tuple[str, Bilingual], ...] = ()
    """Candidates that would not even be loaded, by label, and why."""
    n_candidates: int = 1

    @property
    def gpu_hours(self) -> float | None:
        """Accelerator time; none is used on a machine without one."""
        if not self.device.is_gpu:
            return 0.0
        return None if self.seconds is None else self.seconds / 3600

    @property
    def usd(self) -> float | None:
        """All dollars together."""
        if self.api_usd is None or self.device_usd is None:
            return None
        return self.api_usd + self.device_usd

    @property
    def runs(self) -> bool:
        """False when not one candidate would be loaded."""
        return len(self.refusals) < self.n_candidates


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """All that an estimate may rest on."""

    device: Device
    texts: Sequence[str]
    fact_of: Callable[[str], ModelFact | None]
    price_of: Callable[[Candidate], TokenPrice | None]
    seconds_a_row: Callable[[Candidate], float | None]
    """Median time of a row of a model in earlier runs on this device."""
    admissions: Sequence[Admission] = field(default_factory=tuple)


def effort(spec: EvaluationSpec | TuningSpec, engine: Engine, *, home: Path, device: Device) -> Effort:
    """Look at the rows, the models, the device that jobs run on and what was measured on it; nothing is loaded."""
    rows = data.load(spec.dataset.sha256, home=home)
    texts = ["\n".join((spec.instruction or "", row.text, *row.choices)) for row in rows]
    known = Known(
        device=device,
        texts=texts,
        fact_of=partial(_fact, home),
        price_of=_price,
        seconds_a_row=partial(_measured_s, engine, device),
    )
    if isinstance(spec, TuningSpec):
        spec = spec.model_copy(update={"base_model": canonical_name(spec.base_model)})
        return tuning_effort(spec, known, estimate.memory_gib(spec))
    folder = models_folder(home)
    found = tuple(admission(one, spec.dataset, texts, device, models=folder) for one in spec.candidates)
    return evaluation_effort(spec, replace(known, admissions=found))


def _fact(home: Path, name: str) -> ModelFact | None:
    """What is known of a model; the catalogue of the home is only opened for one that is not shipped."""
    return estimate.shipped().get(canonical_name(name)) or open_catalogue(home).find(canonical_name(name))


def _price(candidate: Candidate) -> TokenPrice | None:
    """Of the provider itself; what a server of one's own takes is only known where the team states it."""
    name = hosted_name(candidate.model)
    if name is None or candidate.base_url is not None:
        return price_at(candidate.address, None, None)
    return price_at(candidate.model, name.known.prices, name.catalogue_id)


def _measured_s(engine: Engine, device: Device, candidate: Candidate) -> float | None:
    """Median time of a row of the model, loaded in that way, in earlier runs on such a device."""
    found = measurements.find(engine, model_id=canonical_name(candidate.model))
    times = [
        row.latency_p50_s
        for row in found
        if row.quantization == candidate.quantization
        and row.device.startswith(device.name)
        and row.latency_p50_s is not None
    ]
    return median(times) if times else None


def evaluation_effort(spec: EvaluationSpec, known: Known) -> Effort:
    """What it takes when every candidate answers every row."""
    n_rows = _n_rows(spec, known)
    local = [one for one in known.admissions if not one.candidate.is_hosted and one.refusal is None]
    times = [_row_time(one.candidate, spec, known) for one in local]
    seconds = None
    if all(time is not None for time in times):
        seconds = sum(LOAD_S + n_rows * (time or 0.0) for time in times)
        seconds += sum(n_rows * _HOSTED_ROW_S for one in known.admissions if one.candidate.is_hosted)
        seconds = min(seconds, 60 * spec.max_minutes) if spec.max_minutes else seconds
    needs = [one.memory_gib for one in local]
    measured = bool(local) and all(known.seconds_a_row(one.candidate) is not None for one in local)
    return Effort(
        device=known.device,
        seconds=seconds,
        memory_gib=max((need for need in needs if need is not None), default=None) if local else 0.0,
        api_usd=_api_usd(spec, known, n_rows),
        device_usd=_device_usd(known.device, seconds),
        was_measured=measured,
        refusals=tuple((one.candidate.label, one.refusal) for one in known.admissions if one.refusal),
        n_candidates=len(spec.candidates),
    )


def tuning_effort(spec: TuningSpec, known: Known, memory_gib: float | None) -> Effort:
    """What it takes with all epochs and all trials of a search."""
    fact = known.fact_of(spec.base_model)
    params = fact.active_params_b or fact.params_b if fact else None
    seconds = None
    if params is not None:
        rows = _n_rows(spec, known)
        row_tokens = _typical_tokens(known.texts)
        learned = rows * (1 - spec.held_out_frac) * spec.epochs * (1 + spec.search)
        if spec.max_steps is not None:
            learned = min(learned, spec.max_steps * spec.batch_size * (1 + spec.search))
        scored = min(rows * spec.held_out_frac, spec.held_out_limit or rows) * 2
        answer = _ANSWER_TOKENS[spec.dataset.task]
        flop = params * 1e9 * row_tokens * learned * _STEP_FLOP_A_WEIGHT
        flop += params * 1e9 * (row_tokens + answer) * scored * 2
        slower = _SLOWER["nf4"] if spec.method == "qlora" else 1.0
        speed = _flop_per_s(known.device)
        seconds = None if speed is None else 2 * LOAD_S + slower * flop / speed
    return Effort(
        device=known.device,
        seconds=seconds,
        memory_gib=memory_gib,
        device_usd=_device_usd(known.device, seconds),
    )


def _n_rows(spec: EvaluationSpec | TuningSpec, known: Known) -> int:
    return min(spec.limit or len(known.texts), len(known.texts))


def _typical_tokens(texts: Sequence[str]) -> float:
    """Of the middle row, with what is put around it; a sample is enough."""
    step = max(1, len(texts) // 500)
    return _PROMPT_TOKENS + median(tokens_at_most(text) for text in texts[::step])


def _row_time(candidate: Candidate, spec: EvaluationSpec, known: Known) -> float | None:
    """Seconds that one row takes: as measured, else by arithmetic, else None."""
    if (measured := known.seconds_a_row(candidate)) is not None:
        return measured
    fact, speed = known.fact_of(candidate.model), _flop_per_s(known.device)
    params = fact.active_params_b or fact.params_b if fact else None
    if params is None or speed is None:
        return None
    answer = _answer_tokens(spec)
    tokens = _typical_tokens(known.texts) * (1 + spec.examples) + answer
    slower = _SLOWER.get(candidate.quantization, 1.0)
    time_s = 2 * params * 1e9 * tokens * slower / speed
    return time_s + (_writing_s(candidate, known) or 0.0) * answer * (spec.dataset.task in _WRITES)


def _writing_s(candidate: Candidate, known: Known) -> float | None:
    """Seconds a written token takes beside its arithmetic: the weights are read anew for each."""
    pace = next((one.tokens_per_s for one in known.admissions if one.candidate == candidate), None)
    return 1 / pace if pace else None


def _answer_tokens(spec: EvaluationSpec) -> int:
    usual = _ANSWER_TOKENS[spec.dataset.task]
    return min(usual, spec.max_new_tokens) if spec.max_new_tokens else usual


def _flop_per_s(device: Device) -> float | None:
    if not device.is_gpu:
        return _CPU_GFLOPS * 1e9
    gpu = find_gpu(device.name)
    return gpu.bf16_tflops * 1e12 * _GPU_EFFICIENCY if gpu and gpu.bf16_tflops else None


def _device_usd(device: Device, seconds: float | None) -> float | None:
    if not device.is_gpu:
        return 0.0
    gpu = find_gpu(device.name)
    if seconds is None or gpu is None or gpu.usd_per_hour is None:
        return None
    return gpu.usd_per_hour * seconds / 3600


def _api_usd(spec: EvaluationSpec, known: Known, n_rows: int) -> float | None:
    """What hosted candidates and the judge charge, at most the budget; None when a price is unknown."""
    row, answer = _typical_tokens(known.texts), _answer_tokens(spec)
    total = 0.0
    for candidate in spec.candidates:
        if candidate.is_hosted:
            price = known.price_of(candidate)
            if price is None:
                return spec.max_usd
            total += n_rows * _usd(price, row * (1 + spec.examples), answer)
    if spec.judge is not None:
        price = known.price_of(spec.judge)
        if price is None:
            return spec.max_usd
        calls = n_rows * len(spec.candidates) * _JUDGED_TIMES
        total += calls * _usd(price, row + 2 * answer, _PROMPT_TOKENS)
    return min(total, spec.max_usd) if spec.max_usd is not None else total


def _usd(price: TokenPrice, tokens_in: float, tokens_out: float) -> float:
    return (tokens_in * price.input_usd_per_mtok + tokens_out * (price.output_usd_per_mtok or 0.0)) / 1e6
