"""The catalogue of one home: what is shipped, then what was refreshed, imported, and added by the team.

Files, all under SHORTLIST_HOME: catalogue/refreshed.json, catalogue/prices.json, catalogue/imports/*.json and
team.yaml. Each is replaced whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from index.bilingual import Bilingual
from index.catalogue.catalogue import Catalogue
from index.catalogue.gpus import use_gpus
from index.catalogue.layers import Facts, Figure, Layer, lay_over
from index.catalogue.team import FILE, read_team
from index.errors import BadInput
from index.files import replacing
from index.prices import TokenPrice, shipped_prices, use_prices
from index.records import Source

FileT = TypeVar("FileT", bound=BaseModel)


class Held(BaseModel):
    """What the model hub said of one model when it was last asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha: str
    """Commit of the repository: the same one needs no second look."""
    checked_at_utc: str
    facts: Facts | None = None
    figures: tuple[Figure, ...] = ()


class Refreshed(BaseModel):
    """refreshed.json: by model id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal[1] = 1
    models: Mapping[str, Held] = Field(default_factory=dict)

    @property
    def day(self) -> str | None:
        """The day of the latest answer of the hub."""
        return max((held.checked_at_utc[:10] for held in self.models.values()), default=None)


class HeldPrice(BaseModel):
    """One fetched price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str
    input_usd_per_mtok: float = Field(gt=0, allow_inf_nan=False)
    output_usd_per_mtok: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    url: str


class PriceFile(BaseModel):
    """prices.json: the prices of one day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: Literal[1] = 1
    fetched_on: str
    prices: Mapping[str, HeldPrice] = Field(default_factory=dict)

    def offers(self) -> dict[str, TokenPrice]:
        """The prices as the rest of the program knows them."""
        return {
            model_id: TokenPrice(
                model_id=model_id,
                provider=held.provider,
                input_usd_per_mtok=held.input_usd_per_mtok,
                output_usd_per_mtok=held.output_usd_per_mtok,
                source=Source(name=f"{held.provider} list price (genai-prices)", url=held.url, licence="MIT"),
                date=self.fetched_on,
            )
            for model_id, held in self.prices.items()
        }


def open_catalogue(home: Path, *, jobs_home: Path | None = None) -> Catalogue:
    """Everything known in a home. Its prices and accelerators come into force for the whole process.

    `jobs_home`: where the folders of jobs lie, with the tuned models, when not there.
    """
    catalogue = refreshed_catalogue(home)
    layers = list(read_imports(home))
    for layer in layers:
        catalogue = lay_over(catalogue, layer.models, layer.figures)
    team = read_team(home / FILE, catalogue)
    catalogue = lay_over(catalogue, team.models)
    use_gpus(team.gpus)
    use_prices({**refreshed_prices(home), **team.prices})
    return replace(catalogue, jobs_home=jobs_home or home, version=_version(catalogue.version, home))


def refreshed_catalogue(home: Path) -> Catalogue:
    """The shipped catalogue with what the hub said since."""
    shipped, refreshed = Catalogue.load(), read_refreshed(home)
    held = list(refreshed.models.values())
    laid = lay_over(
        shipped,
        [item.facts for item in held if item.facts is not None],
        [figure for item in held for figure in item.figures],
    )
    return replace(laid, refreshed=refreshed.day)


def refreshed_prices(home: Path) -> dict[str, TokenPrice]:
    """The fetched prices; none once the installed package is newer than they are."""
    fetched = read_prices(home)
    return {} if fetched is None or fetched.fetched_on < shipped_prices().date else fetched.offers()


def read_refreshed(home: Path) -> Refreshed:
    """What the hub said so far."""
    return _read(_folder(home) / "refreshed.json", Refreshed) or Refreshed()


def write_refreshed(home: Path, refreshed: Refreshed) -> None:
    """Replace what the hub said."""
    _write(_folder(home) / "refreshed.json", refreshed)


def read_prices(home: Path) -> PriceFile | None:
    """The fetched prices, when there are any."""
    return _read(_folder(home) / "prices.json", PriceFile)


def write_prices(home: Path, prices: PriceFile) -> None:
    """Replace the fetched prices."""
    _write(_folder(home) / "prices.json", prices)


def read_imports(home: Path) -> Iterator[Layer]:
    """All that was imported, oldest first."""
    paths = (_folder(home) / "imports").glob("*.json")
    layers = [layer for path in sorted(paths) if (layer := _read(path, Layer)) is not None]
    yield from sorted(layers, key=lambda layer: layer.made_at_utc)


def write_import(home: Path, name: str, layer: Layer) -> Path:
    """Keep an import; the same name replaces an earlier one."""
    path = _folder(home) / "imports" / f"{name}.json"
    _write(path, layer)
    return path


def _folder(home: Path) -> Path:
    return home / "catalogue"


def _write(path: Path, value: BaseModel) -> None:
    with replacing(path) as temporary:
        temporary.write_text(value.model_dump_json(exclude_none=True, indent=1) + "\n", encoding="utf-8")


def _read(path: Path, form: type[FileT]) -> FileT | None:
    try:
        return form.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise BadInput(
            Bilingual(
                en=f"The catalogue file {path} is damaged or of another version, so nothing is answered from it. "
                "Move it away; `shortlist catalogue refresh` or `import` makes it again.",
                zh=f"目录文件 {path} 已损坏或版本不符，无法使用。"
                "请移走该文件；`shortlist catalogue refresh` 或 `import` 会重新生成。",
            )
        ) from error


def _version(shipped: str, home: Path) -> str:
    """The shipped version, with a digest of what lies over it."""
    paths = [*sorted(_folder(home).rglob("*.json")), home / FILE]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths if path.is_file()))
    return f"{shipped}+{digest.hexdigest()[:8]}" if any(path.is_file() for path in paths) else shipped
