"""Outlooks, devices and time spent -> words: the place in the line, when it begins, who has what."""

from __future__ import annotations

from collections.abc import Sequence

from finetune.state import DeviceUse, Job, Outlook, Spent
from index.bilingual import Bilingual, Language
from skills.report import job_line


def job_lines(
    jobs: Sequence[Job], outlooks: dict[str, Outlook], language: Language, *, with_owner: bool = False
) -> list[str]:
    """One line a job, with what lies before those that have not ended, and whose it is where there are several people."""
    several = with_owner and len({job.owner for job in jobs}) > 1
    return [
        job_line(job, language)
        + outlook_words(outlooks.get(job.id), language)
        + (f" · {job.owner}" if several else "")
        for job in jobs
    ]


def spent_line(job: Job, language: Language) -> str:
    """Whose job it is, when it was asked for, how often it began, and what it took so far."""
    when = job.created_at_utc[:16].replace("T", " ")
    took = duration(job.ran_s * job.terms.gpus)
    words = Bilingual(
        f"Asked for by {job.owner} at {when} UTC; {_times(job.attempts)}; {took.en} of device time.",
        f"由 {job.owner} 于 {when}（UTC）提交；启动 {job.attempts} 次；占用设备 {took.zh}。",
    )
    return words.to(language)


def _times(count: int) -> str:
    return {0: "not begun yet", 1: "begun once", 2: "begun twice"}.get(count, f"begun {count} times")


def outlook_words(outlook: Outlook | None, language: Language) -> str:
    """` · number 3 in the line, begins in about 20 min`; empty when there is nothing to say."""
    if outlook is None:
        return ""
    words = [_place(outlook), _begin(outlook), _done(outlook), _left(outlook)]
    return "".join(f" · {part.to(language)}" for part in words if part)


def device_lines(devices: Sequence[DeviceUse], spent: Sequence[Spent], language: Language) -> list[str]:
    """Who has which device, and how much device time everybody used."""
    if not devices:
        free = Bilingual(
            "No worker is running, so no device is in use. A job starts one.",
            "没有 worker 在运行，因此没有设备被占用。提交任务会自动启动 worker。",
        )
        return [free.to(language), *_spent_lines(spent, language)]
    return [*(_device_line(use).to(language) for use in devices), *_spent_lines(spent, language)]


def duration(seconds: float) -> Bilingual:
    """A length of time in one rounded unit."""
    if seconds < 90:
        return Bilingual(f"{seconds:.0f} s", f"{seconds:.0f} 秒")
    if seconds < 5_400:
        return Bilingual(f"{seconds / 60:.0f} min", f"{seconds / 60:.0f} 分钟")
    return Bilingual(f"{seconds / 3_600:.1f} h", f"{seconds / 3_600:.1f} 小时")


def _place(outlook: Outlook) -> Bilingual | None:
    if outlook.position is None:
        return None
    if outlook.position == 1:
        return Bilingual("next in the line", "下一个就是它")
    return Bilingual(f"number {outlook.position} in the line", f"排在第 {outlook.position} 位")


def _begin(outlook: Outlook) -> Bilingual | None:
    if outlook.starts_in_s is None:
        return None
    if outlook.starts_in_s < 1:
        return Bilingual("begins now", "马上开始")
    wait = duration(outlook.starts_in_s)
    return Bilingual(f"begins in about {wait.en}", f"大约 {wait.zh}后开始")


def _done(outlook: Outlook) -> Bilingual | None:
    if outlook.done_frac is None:
        return None
    return Bilingual(f"{outlook.done_frac:.0%} done", f"已完成 {outlook.done_frac:.0%}")


def _left(outlook: Outlook) -> Bilingual | None:
    if outlook.left_s is None:
        return None
    left = duration(outlook.left_s)
    return Bilingual(f"about {left.en} left", f"大约还要 {left.zh}")


def _device_line(use: DeviceUse) -> Bilingual:
    what = f"{use.name} ({use.host}, {use.memory_gib:.0f} GiB)"
    if use.job_id is None:
        return Bilingual(f"{what}: free", f"{what}：空闲")
    return Bilingual(f"{what}: job {use.job_id} of {use.owner}", f"{what}：{use.owner} 的任务 {use.job_id}")


def _spent_lines(spent: Sequence[Spent], language: Language) -> list[str]:
    if not spent:
        return []
    team = duration(3_600 * sum(person.device_hours for person in spent))
    lines = [Bilingual(f"Device time so far: {team.en}", f"设备时间合计：{team.zh}")]
    for person in spent:
        used = duration(3_600 * person.device_hours)
        jobs = "job" if person.jobs == 1 else "jobs"
        lines.append(
            Bilingual(
                f"{person.owner}: {used.en}, {person.jobs} {jobs}",
                f"{person.owner}：{used.zh}，{person.jobs} 个任务",
            )
        )
    return [line.to(language) for line in lines]
