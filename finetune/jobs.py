"""The public face of `finetune`: submit, watch, cancel, retry; a job outlives whoever submitted it.

`submit`, `cancel` and `retry` only write what is wanted; `ensure_worker` sees that somebody acts on it.
"""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from finetune import data, estimate, models
from finetune.admission import Admission, admission, files_of
from finetune.dataset_errors import NoSuchFile
from finetune.effort import Effort, effort
from finetune.errors import NotForHosted, NothingLeaves, NothingToLearn, TunedAlready, UnreadableJob
from finetune.executors.choice import device_of_jobs, require
from finetune.folder import JobFolder
from finetune.gate import Gate, GateOf, OpenGate
from finetune.outlook import Outlooks
from finetune.people import JobsOfPerson
from finetune.policy import ORDINARY as ORDINARY_POLICY
from finetune.policy import Policy
from finetune.preview_process import preview_of
from finetune.queue import Queue
from finetune.refusals import ended_already, no_priority, nothing_to_retry, waits_no_more
from finetune.repeats import changed
from finetune.restrictions import leaving, require_inside, require_model
from finetune.sealed_files import JobsAreRunning, NoKeyToSealWith, Resealed, seal_again
from finetune.spec import Candidate, DatasetRef, DatasetTask, EvaluationSpec, TuningSpec
from finetune.spending import Spending
from finetune.state import (
    FORGOTTEN,
    ORDINARY,
    PRIORITIES,
    Cost,
    DeviceUse,
    Job,
    JobEvent,
    JobState,
    JobUse,
    Outlook,
    Spent,
    Terms,
)
from finetune.tuning_admission import require_tunable
from finetune.tuning_preview import TuningPreview
from finetune.worker_process import COMMAND, WorkerProcess
from finetune.workspaces import ELSEWHERE, asking_team, folder_of, team_of
from index.bilingual import Bilingual
from index.catalogue.tuned import TunedModel, adapter_of, find_tuned, read_tuned
from index.errors import BadInput, UnknownJob
from index.sealing import is_sealing

_LOOK_S = 0.2
_WORKER_LOOK_S = 1.0
_ALL = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A job that somebody wants, before it is queued: the arguments of `submit`."""

    spec: EvaluationSpec | TuningSpec
    dedupe_key: str
    owner: str
    thread: str | None
    terms: Terms = ORDINARY


LookUp = Callable[[str], models.ModelLocation]
Check = Callable[[Wanted], None]


class Jobs:
    """All that the packages above may do with jobs."""

    def __init__(  # noqa: PLR0913  the composition root has this much to say
        self,
        engine: Engine,
        *,
        home: Path,
        database_url: str,
        worker_command: Sequence[str] | None = COMMAND,
        worker_idle_s: float = 30.0,
        datasets: Path | None = None,
        policy: Policy = ORDINARY_POLICY,
    ) -> None:
        """A `worker_command` of None leaves workers to somebody else, as `shortlist worker` under systemd.

        `datasets` is the one folder that data sets may be read from; None allows any that this process can
        read, which is right for a person at their own terminal only.
        """
        self._engine = engine
        self.gate: Gate = OpenGate()
        """Asked before anything is started, stopped or reordered. The surface that has people puts its own here."""
        self.keeps_workspaces_apart = False
        """Whether who asks from Slack finds only jobs that began in their workspace, and data in its folder."""
        self._queue = Queue(engine)
        self._outlooks = Outlooks(engine, most_running=policy.running_per_person)
        self._spending = Spending(engine, policy)
        self._policy = policy
        self._home = home.absolute()
        self._files = (policy.shared or home).absolute()
        self._of_person = JobsOfPerson(engine, self._files)
        self._database_url = database_url
        self._datasets = datasets
        self._check: Check | None = None
        self._worker: WorkerProcess | None = None
        if worker_command is not None:
            self._worker = WorkerProcess(
                home=self._home,
                database_url=database_url,
                command=worker_command,
                idle_s=worker_idle_s,
                policy=policy,
            )

    def register_dataset(
        self,
        path_or_name: str,
        *,
        task: DatasetTask | None = None,
        labels: Sequence[str] = (),
        text_column: str | None = None,
        label_column: str | None = None,
    ) -> DatasetRef:
        """Check a data set and keep a copy of its rows under its content hash; BadDataset when it is none.

        `sha256:…` names one that is kept already. `task`: what the rows ask for; None recognises it, as with the
        columns. `labels`: all there are, where rows may lack some.
        """
        if known := data.find_registered(path_or_name, home=self._files, task=task):
            if self._policy.personal_data != "keep":
                data.require_clean(known, self._files)
            return known
        folder = self._data_folder()
        is_free = folder is None or path_or_name in data.SAMPLES
        path = path_or_name if is_free or folder is None else _inside(folder, path_or_name)
        return data.register(
            path,
            home=self._files,
            task=task,
            labels=labels,
            text_column=text_column,
            label_column=label_column,
            personal_data=self._policy.personal_data,
        )

    def dataset_names(self) -> builtins.list[str]:
        """Data sets that can be named to `register_dataset` here: the samples, and the files of the one folder."""
        folder = self._data_folder()
        found = sorted(folder.iterdir()) if folder is not None and folder.is_dir() else []
        return [*data.SAMPLES, *(path.name for path in found if not path.name.startswith("."))]

    def _data_folder(self) -> Path | None:
        return self._datasets and folder_of(self._datasets, self._team())

    def _team(self) -> str | None:
        """The workspace that nobody may look out of; None where there is one, or nobody in Slack asks."""
        return asking_team() if self.keeps_workspaces_apart else None

    def is_in_sight(self, thread: str | None) -> bool:
        """Whether what began in this thread may be seen by whoever asks now."""
        team = self._team()
        return team is None or team_of(thread) == team

    def register_file(
        self, path: Path, *, task: DatasetTask | None = None, labels: Sequence[str] = ()
    ) -> DatasetRef:
        """As `register_dataset`, of a file that this process itself has put there, wherever that is."""
        return data.register(path, home=self._files, task=task, labels=labels)

    def register_benchmark(self, name: str, *, folder: Path | None = None) -> DatasetRef:
        """Keep the rows of a standard benchmark of lm-evaluation-harness; `folder` holds a task of one's own."""
        if folder is None and not self._asks_hub:
            raise NothingLeaves(Bilingual(f"the benchmark {name!r} is not fetched", f"不会下载基准 {name!r}"))
        return data.register_benchmark(name, home=self._files, folder=folder)

    def describe_dataset(self, dataset: DatasetRef) -> builtins.list[Bilingual]:
        """What was recognised in a registered data set, in a line or two."""
        return data.describe(dataset, home=self._files).lines()

    def leaving(self, spec: EvaluationSpec | TuningSpec) -> Bilingual | None:
        """What of the data goes to whom when this job runs, to be said before it does; None when nothing does."""
        return leaving(spec)

    def resolve_model(self, name: str) -> models.ModelLocation:
        """Find the model that a name means; UnknownModel when nothing fits. A tuned one is found as its base."""
        tuned = find_tuned(read_tuned(self._files), name)
        return self._look_up(tuned.based_on if tuned else name)

    def _look_up(self, name: str) -> models.ModelLocation:
        """Where a model is, if this house lets it be used."""
        require_inside(self._policy, [name])
        found = models.resolve(name, ask_hub=self._asks_hub)
        require_model(self._policy, found.id)
        return found

    @property
    def _asks_hub(self) -> bool:
        return self._policy.egress != "none"

    def estimate(self, spec: EvaluationSpec) -> builtins.list[Admission]:
        """What each candidate would need where jobs run, or why it would be refused; nothing is loaded."""
        device, folder = device_of_jobs(self._policy), models.models_folder(self._files)
        rows = data.load(spec.dataset.sha256, home=self._files)
        texts = ["\n".join((spec.instruction or "", row.text, *row.choices)) for row in rows]
        candidates = [_loaded(one, read_tuned(self._files), self._files) for one in spec.candidates]
        return [admission(one, spec.dataset, texts, device, models=folder) for one in candidates]

    def preview(self, spec: TuningSpec) -> TuningPreview:
        """What a fine-tune would learn, choose and take on this machine; nothing is queued, no weight is loaded.

        BadInput for one that cannot end well. Takes some seconds: a child process loads the tokenizer.
        """
        return preview_of(_tunable(spec, self._files, self._look_up), home=self._files)

    def effort(self, spec: EvaluationSpec | TuningSpec) -> Effort:
        """Time, memory and dollars that the job would take at most; nothing is loaded."""
        return effort(spec, self._engine, home=self._files, device=device_of_jobs(self._policy))

    def gated(self, check: Check | None) -> Jobs:
        """The same jobs behind a gate, which sees every job before it is queued, and raises to keep it out.

        None takes the gate away.
        """
        behind = copy(self)
        behind._check = check
        return behind

    def submit(
        self,
        spec: EvaluationSpec | TuningSpec,
        *,
        dedupe_key: str,
        owner: str,
        thread: str | None = None,
        terms: Terms = ORDINARY,
    ) -> Job:
        """Queue a job, or return the one already queued under this key; QueueFull when that is one too many.

        Models are looked up before anything is written. The key is a UNIQUE column, so two deliveries of one
        Slack event cannot race. From here on the job is not lost: workers read the row.
        """
        known = self.checked(spec)
        if self._check is not None and self._queue.find(dedupe_key) is None:
            self._check(Wanted(spec=known, dedupe_key=dedupe_key, owner=owner, thread=thread, terms=terms))
        with self.gate.launch(known, owner=owner, thread=thread, terms=terms) as (allowed, limited):
            return self._queue.insert_or_get(
                allowed,
                dedupe_key=dedupe_key,
                owner=owner,
                thread=thread,
                terms=replace(limited, memory_gib=estimate.memory_gib(allowed)),
                most_queued=self._policy.queued_per_person,
            )

    def checked(self, spec: EvaluationSpec | TuningSpec) -> EvaluationSpec | TuningSpec:
        """The spec with every model under its one name, or BadInput for what would be refused when submitted."""
        if isinstance(spec, EvaluationSpec):
            _ = spec.deciding_metric  # an unknown one is refused now, not by the worker
            if self._datasets is not None:
                _refuse_servers(spec)
            require_inside(self._policy, (asked.model for asked in spec.asked_models))
            if spec.judge is not None:
                require_model(self._policy, spec.judge.model)
        elif spec.dataset.task in ("chat", "language-modelling"):
            raise NothingToLearn(spec.dataset.name, spec.dataset.task)
        elif spec.rewriter is not None:
            require_inside(self._policy, [spec.rewriter.model])
        return _with_known_models(spec, self._files, self._look_up)

    def find(self, dedupe_key: str) -> str | None:
        """The id of the job that was queued under this key; None when there is none."""
        return self._queue.find(dedupe_key)

    def status(self, job_id: str) -> Job:
        """Where the job stands; UnknownJob when there is none, or it is another workspace's."""
        job = self._queue.job(job_id)
        if not self.is_in_sight(job.thread):
            raise UnknownJob(job_id)
        return job

    def list(
        self, owner: str | None = None, limit: int = 20, unfinished_only: bool = False
    ) -> builtins.list[Job]:
        """Jobs, the newest first."""
        team = self._team()
        return self._queue.newest(owner=owner, limit=limit, unfinished_only=unfinished_only, team=team)

    def under_keys(self, prefix: str) -> dict[str, Job]:
        """The jobs that were submitted under keys that begin like this, by key."""
        return self._queue.under_keys(prefix)

    def unreadable(self, limit: int = 20) -> builtins.list[UnreadableJob]:
        """What is wrong with those of the latest rows that `list` has to leave out."""
        return self._queue.unreadable(limit=limit, team=self._team())

    def outlooks(self, found: Sequence[Job]) -> dict[str, Outlook]:
        """Place in the line, expected start, time left of those jobs that have not ended."""
        return self._outlooks.of(found)

    def devices(self) -> builtins.list[DeviceUse]:
        """The devices of all workers, and who has them; empty while no worker lives."""
        devices, team = self._outlooks.devices(), self._team()
        if team is None:
            return devices
        return [
            replace(use, owner=ELSEWHERE)
            if use.job_id and not self.is_in_sight(self._queue.job(use.job_id).thread)
            else use
            for use in devices
        ]

    def spent(self) -> builtins.list[Spent]:
        """Device time of each person, the most first."""
        spent = self._outlooks.spent()
        if self._team() is None:
            return spent
        here = {job.owner for job in self.list(limit=_ALL)}
        return [one for one in spent if one.owner in here]

    def expected_cost(self, spec: EvaluationSpec | TuningSpec, terms: Terms = ORDINARY) -> Cost:
        """What a job is expected to take: as it is limited, or as such jobs took here."""
        return self._spending.expected(spec, terms)

    def used_since(self, start_utc: str) -> builtins.list[JobUse]:
        """What every job used that was submitted since then; one that has not ended, what it is expected to."""
        unfinished = self._queue.newest(owner=None, limit=_ALL, unfinished_only=True)
        return self._spending.since(start_utc, unfinished)

    def prioritise(self, job_id: str, priority: str) -> Job:
        """Let a waiting job go before or behind others: high, normal or low."""
        if priority not in PRIORITIES:
            raise no_priority(priority)
        job = self.status(job_id)
        self.gate.prioritise(job)
        if not self._queue.prioritise(job_id, PRIORITIES[priority]):
            raise waits_no_more(job)
        return self.status(job_id)

    def cancel(self, job_id: str) -> Job:
        """End a job: at once while it waits in the queue, within seconds while it runs.

        Cancelling twice is the same as once. A job that ended before it could be cancelled stays as it ended.
        """
        self.gate.stop(self.status(job_id))
        if not self._stop(job_id):
            raise ended_already(self.status(job_id))
        return self.status(job_id)

    def _stop(self, job_id: str) -> bool:
        """Have a job end; False when it has ended before."""
        while not (job := self.status(job_id)).is_finished:
            wanted: JobState = "cancelled" if job.state == "queued" else "cancelling"
            if job.state == "cancelling" or self._queue.move(job_id, job.state, wanted):
                return True
        return False

    def retry(
        self,
        job_id: str,
        *,
        dedupe_key: str,
        changes: Mapping[str, Any] | None = None,
        terms: Terms | None = None,
        owner: str | None = None,
    ) -> Job:
        """Queue a new job with the same spec, or a changed one; for jobs that failed or were cancelled.

        `owner`: who wants it again, and whose turn it takes; None is the person of the first job.
        """
        job = self.status(job_id)
        if job.state not in ("failed", "cancelled"):
            raise nothing_to_retry(job)
        return self.repeat(job_id, dedupe_key=dedupe_key, changes=changes, terms=terms, owner=owner)

    def repeat(
        self,
        job_id: str,
        *,
        dedupe_key: str,
        changes: Mapping[str, Any] | None = None,
        terms: Terms | None = None,
        owner: str | None = None,
    ) -> Job:
        """Queue a new job with the spec of any other, with `changes` to it; BadInput when they make no sense."""
        job = self.status(job_id)
        spec = changed(job.spec, changes or {})
        wanted = terms or job.terms
        who = owner or job.owner
        return self.submit(spec, dedupe_key=dedupe_key, owner=who, thread=job.thread, terms=wanted)

    def events_after(
        self, cursor: int, job_id: str | None = None, limit: int = 500
    ) -> builtins.list[JobEvent]:
        """What happened after the event numbered `cursor` (0: from the beginning), the oldest first."""
        return self._queue.events_after(cursor, job_id=job_id, limit=limit)

    def result(self, job_id: str) -> dict[str, Any]:
        """The result as the recipe wrote it, with the job's number, state and reason in front."""
        job = self.status(job_id)
        head = {"job_id": job.id, "state": job.state, "reason": job.reason and job.reason.en}
        if job.state != "succeeded" or job.owner.startswith(FORGOTTEN):
            return head
        return head | JobFolder(self.folder(job_id)).result() | head

    def folder(self, job_id: str) -> Path:
        """Where the files of a job lie."""
        return self._files / "jobs" / self.status(job_id).id

    def log_tail(self, job_id: str, lines: int = 50) -> str:
        """The last lines that the job printed; empty while it has not begun."""
        return JobFolder(self.folder(job_id)).log_tail(lines)

    def seal_again(self) -> Resealed:
        """Encrypt what is kept under the first data key; BadInput without one, or while jobs run."""
        if not is_sealing():
            raise NoKeyToSealWith
        if self.list(limit=1, unfinished_only=True):
            raise JobsAreRunning
        return seal_again(self._files)

    def held_on(self, person: str) -> dict[str, Any]:
        """Everything that jobs hold on a person, as JSON values: jobs, and the rows of data sets that are theirs alone."""
        return self._of_person.held(person)

    def forget(self, person: str, pseudonym: str, timeout_s: float = 30.0) -> tuple[int, int]:
        """Stop a person's jobs, and take out what they hold; how many were emptied, and how many have not ended yet.

        Those that have not ended still are the person's: forget again when they have.
        """
        deadline_s = time.monotonic() + timeout_s
        for job in self.list(owner=person, limit=_ALL, unfinished_only=True):
            self._stop(job.id)
        while unfinished := self.list(owner=person, limit=_ALL, unfinished_only=True):
            if time.monotonic() >= deadline_s:
                break
            self.ensure_worker()
            time.sleep(_LOOK_S)
        return self._of_person.forget(person, pseudonym), len(unfinished)

    def wait(
        self,
        job_id: str,
        timeout_s: float | None = None,
        on_event: Callable[[JobEvent], None] | None = None,
    ) -> Job:
        """Wait for a job's end, or as long as allowed, telling each event from the first one on.

        Sees to it that there is a worker all the while: waiting for nobody would never end.
        """
        began_s = time.monotonic()
        next_look_s, cursor = began_s, 0
        while True:
            job = self.status(job_id)
            cursor = self._tell(job_id, cursor, on_event)
            now_s = time.monotonic()
            if job.is_finished or (timeout_s is not None and now_s - began_s >= timeout_s):
                return job
            if now_s >= next_look_s:
                self.ensure_worker()
                next_look_s = now_s + _WORKER_LOOK_S
            time.sleep(_LOOK_S)

    def ensure_worker(self) -> None:
        """Start a worker of this home unless there is one; it outlives this process, and ends when idle.

        BadSetting when the place where jobs shall run cannot be used from here.
        """
        if self._worker:
            require(self._policy)
            self._worker.ensure()

    def run_worker(self, name: str = "", gate_of: GateOf | None = None) -> Bilingual:
        """Be a worker, in the foreground, until SIGTERM or Ctrl-C; return why it ended. `gate_of`: see `run_worker`."""
        from finetune.worker import run_worker  # noqa: PLC0415 - keeps DBOS out of processes that only ask

        return run_worker(
            home=self._home,
            database_url=self._database_url,
            policy=self._policy,
            name=name,
            gate_of=gate_of,
        )

    def _tell(self, job_id: str, cursor: int, on_event: Callable[[JobEvent], None] | None) -> int:
        """Tell all events after the cursor; return the new cursor."""
        while events := self.events_after(cursor, job_id):
            for event in events:
                if on_event:
                    on_event(event)
            cursor = events[-1].id
        return cursor


def _inside(folder: Path, name: str) -> Path:
    """The file of that name in the folder; NoSuchFile for one outside, as if it were not there."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise NoSuchFile(Path(name))
    return path


_NOT_TUNED = Bilingual(
    en="so it cannot be fine-tuned here. Name a model whose weights can be loaded",
    zh="不能在这里微调。请给出可以加载权重的模型",
)


def _refuse_servers(spec: EvaluationSpec) -> None:
    """Who may name a server gets the provider's key sent there: nobody but the person whose key it is."""
    for candidate in spec.asked_models:
        if candidate.base_url is not None:
            raise BadInput(
                Bilingual(
                    en=f"The server {candidate.base_url} cannot be named from here, because our key would be sent "
                    f"to it. Use {candidate.model!r} alone, or run `shortlist evaluate` where the bot runs.",
                    zh=f"不能在这里指定服务器 {candidate.base_url}，否则我们的密钥会发送到那里。"
                    f"请只写 {candidate.model!r}，或在运行机器人的机器上使用 `shortlist evaluate`。",
                )
            )


def _tunable(spec: TuningSpec, home: Path, look_up: LookUp) -> TuningSpec:
    """The spec with its base looked up, and refused where it can never end well."""
    if spec.dataset.task in ("chat", "language-modelling"):
        raise NothingToLearn(spec.dataset.name, spec.dataset.task)
    if tuned := find_tuned(read_tuned(home), spec.base_model):
        raise TunedAlready(tuned.id, tuned.based_on)
    location = look_up(spec.base_model)
    if location.kind == "hosted":
        raise NotForHosted(spec.base_model, _NOT_TUNED)
    require_tunable(spec, location, files_of(location, models.models_folder(home)))
    return spec.model_copy(update={"base_model": location.id})


def _with_known_models(
    spec: EvaluationSpec | TuningSpec, home: Path, look_up: LookUp
) -> EvaluationSpec | TuningSpec:
    """Every model looked up, and under the one name that measurements are kept by: `smollm2` is an alias.

    A tuned model is the adapter on top of its base.
    """
    if isinstance(spec, TuningSpec):
        return _tunable(spec, home, look_up)
    own = read_tuned(home)
    loaded = (_loaded(candidate, own, home) for candidate in spec.candidates)
    found = (c.model_copy(update={"model": look_up(c.model).id}) for c in loaded)
    return spec.model_copy(update={"candidates": tuple(found)})


def _loaded(candidate: Candidate, own: Sequence[TunedModel], home: Path) -> Candidate:
    """A tuned model as what is loaded: its base, as in training unless told otherwise, and the adapter."""
    tuned = find_tuned(own, candidate.model) if candidate.adapter is None else None
    if tuned is None:
        return candidate
    quantization = tuned.quantization if candidate.quantization == "none" else candidate.quantization
    return Candidate(model=tuned.based_on, quantization=quantization, adapter=str(adapter_of(home, tuned)))
