"""Turn `provider:name` into whose model that is: whose key it needs, and what catalogue and price list call it.

The names are those of LangChain's `init_chat_model`. A provider is listed when a key in the environment is all
that it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from finetune.errors import UnusableServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who serves models behind an API."""

    keys: tuple[str, ...] = ()
    """Environment variables that its library reads; the first is the key."""
    maker: str | None = None
    """What the catalogue calls it as the maker of its models; None for one that serves models of others."""
    prices: str | None = None
    """Its id in genai-prices."""
    takes_server: bool = False
    """Whether another server may stand in for its own."""


PROVIDERS: dict[str, Provider] = {
    "openai": Provider(keys=("OPENAI_API_KEY",), maker="openai", prices="openai", takes_server=True),
    "anthropic": Provider(
        keys=("ANTHROPIC_API_KEY",), maker="anthropic", prices="anthropic", takes_server=True
    ),
    "google_genai": Provider(keys=("GOOGLE_API_KEY", "GEMINI_API_KEY"), maker="google", prices="google"),
    "mistralai": Provider(keys=("MISTRAL_API_KEY",), maker="mistral", prices="mistral"),
    "xai": Provider(keys=("XAI_API_KEY",), maker="xai", prices="x-ai"),
    "cohere": Provider(keys=("COHERE_API_KEY",), maker="cohere", prices="cohere"),
    "deepseek": Provider(keys=("DEEPSEEK_API_KEY",), prices="deepseek"),
    "groq": Provider(keys=("GROQ_API_KEY",), prices="groq"),
    "together": Provider(keys=("TOGETHER_API_KEY",), prices="together"),
    "fireworks": Provider(keys=("FIREWORKS_API_KEY",), prices="fireworks"),
    "openrouter": Provider(keys=("OPENROUTER_API_KEY",), prices="openrouter"),
    "azure_openai": Provider(
        keys=("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT", "OPENAI_API_VERSION"), prices="azure"
    ),
    "ollama": Provider(takes_server=True),
}


@dataclass(frozen=True, slots=True)
class HostedName:
    """The two parts of `provider:name`."""

    provider: str
    model: str

    @property
    def known(self) -> Provider:
        """What is known of the provider."""
        return PROVIDERS[self.provider]

    @property
    def catalogue_id(self) -> str | None:
        """What the catalogue calls the model, where its maker serves it; it may not have it."""
        return f"{self.known.maker}/{self.model}" if self.known.maker else None


def hosted_name(name: str) -> HostedName | None:
    """Take `provider:name` apart; None for a model that is loaded here."""
    provider, _, model = name.partition(":")
    return HostedName(provider, model) if provider in PROVIDERS and model.strip() else None


def key_names(names: Iterable[str]) -> tuple[str, ...]:
    """The variables that asking these models needs; none for models that are loaded here."""
    found = filter(None, map(hosted_name, names))
    return tuple(dict.fromkeys(key for name in found for key in name.known.keys))


def provider_keys(environment: Mapping[str, str]) -> dict[str, str]:
    """All keys of providers that are set."""
    known = {key for provider in PROVIDERS.values() for key in provider.keys}
    return {name: value for name, value in environment.items() if name in known and value}


def checked_server(base_url: str) -> str:
    """The address of a server without a slash at its end; UnusableServer for what is none, or holds a secret."""
    try:
        parts = urlsplit(base_url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise UnusableServer(base_url.partition("@")[0]) from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UnusableServer(f"{parts.scheme}://{parts.hostname}", has_secret=True)
    if not is_usable or any(character.isspace() for character in base_url):
        raise UnusableServer(base_url)
    return base_url.rstrip("/")
