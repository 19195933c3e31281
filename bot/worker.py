"""The worker of a home, with the quotas that the rounds of a race of bases go by: they begin when nobody is asking.

python -m bot.worker [--access-file FILE] --home HOME --database-url URL …, the rest as `finetune.worker` takes it
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine

from bot.access import Access, RulesFile
from bot.grants import Grants
from bot.guard import RoundGuard
from finetune.gate import GateOf
from finetune.jobs import Jobs
from finetune.worker import main as run_worker
from index.audit import Trail


def rounds_within_quotas(access_file: Path | None) -> GateOf:
    """What asks the quotas before a round. Who is in a user group only Slack knows: quotas of groups are not asked."""
    rules = RulesFile(access_file)

    def gate_of(engine: Engine, jobs: Jobs) -> RoundGuard:
        access = Access(file=rules, grants=Grants(engine), trail=Trail(engine))
        return RoundGuard(access, jobs, Trail(engine))

    return gate_of


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m bot.worker", add_help=False, allow_abbrev=False)
    parser.add_argument("--access-file", type=Path, help="YAML file of roles and quotas")
    given, rest = parser.parse_known_args(arguments)
    return run_worker(rest, gate_of=rounds_within_quotas(given.access_file))


if __name__ == "__main__":
    sys.exit(main())
