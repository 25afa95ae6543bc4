"""The provider that a policy names, opened with its key: nothing is imported or connected before."""

from __future__ import annotations

from collections.abc import Callable

from triage.errors import ConfigError, VendorRefused
from triage.llm.vendor import Provider
from triage.rules.llm_policy import LlmPolicy

Secrets = Callable[[str], str]
"""From a reference such as `env:OPENAI_API_KEY` to what it holds; `triage.config.read_secret`."""


def key_of(policy: LlmPolicy, org: str) -> str:
    """Return the reference of the key that *org* asks with."""
    return policy.keys.get(org, policy.key)


def open_provider(policy: LlmPolicy, org: str, secrets: Secrets, now: Callable[[], int]) -> Provider:
    """
    Return the provider of *policy* for one organisation.

    Raises:
        VendorRefused: `no_key` or `no_sdk`, with what to do.
    """
    try:
        key = secrets(key_of(policy, org))
    except ConfigError as cause:
        raise VendorRefused("no_key", str(cause), free=True) from cause
    try:
        return _opened(policy, key, now)
    except ImportError as cause:
        raise VendorRefused("no_sdk", f"{cause.name} is not installed: pip install 'triage[llm]'", free=True) from cause


def _opened(policy: LlmPolicy, key: str, now: Callable[[], int]) -> Provider:
    """Import the one adapter that is needed."""
    if policy.provider == "anthropic":
        from triage.llm.providers.anthropic import AnthropicProvider

        return AnthropicProvider(policy.endpoint, key, now)
    if policy.provider == "google":
        from triage.llm.providers.google import GoogleProvider

        return GoogleProvider(policy.endpoint, key, now, api_version=policy.api_version)
    if policy.provider == "azure":
        from triage.llm.providers.azure import AzureProvider

        return AzureProvider(policy.endpoint, key, now, api=policy.api, api_version=policy.api_version)
    from triage.llm.providers.openai import OpenAIProvider

    return OpenAIProvider(policy.endpoint, key, now, api=policy.api)
