"""`shortlist data encrypt`: what is kept, under the data key."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.console import Output, guarded
from bot.terminal import open_terminal
from index.bilingual import Bilingual

app = typer.Typer(help="The rows that are kept.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


@app.callback()
def data() -> None:
    """The rows that are kept."""


@app.command()
def encrypt(json: Json = False) -> None:
    """Encrypt kept rows and answers under the first key of SHORTLIST_DATA_KEY; also after the key was changed."""
    with guarded(Output(json=json)) as output:
        terminal = open_terminal()
        terminal.access.require("backup", terminal.person, subject="data encrypt")
        done = terminal.jobs.seal_again()
        terminal.trail.record("data encrypt", str(done.files), "allowed")
        told = Bilingual(
            f"Encrypted under the first key of SHORTLIST_DATA_KEY: {done.files} file(s) of rows and answers."
            + (
                f" {done.left_open} reports and tables may quote rows in plain text, as they are for people to open: "
                "delete those that were made before there was a key."
                if done.left_open
                else ""
            ),
            f"{done.files} 个数据行和回答文件已用 SHORTLIST_DATA_KEY 的第一个密钥加密。"
            + (
                f"另有 {done.left_open} 个供人打开的报告和表格可能以明文引用数据行：请删除设置密钥之前生成的那些。"
                if done.left_open
                else ""
            ),
        )
        output.emit({"files": done.files, "left_open": done.left_open}, told.to(output.language))
