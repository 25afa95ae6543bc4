"""OpenAI's models on Azure, through the same SDK: the policy's `model` is the name of the deployment."""

from __future__ import annotations

from collections.abc import Callable

import openai

from triage.llm.providers.openai import OpenAIProvider
from triage.llm.providers.wire import client
from triage.rules.llm_policy import Wire


class AzureProvider(OpenAIProvider):
    """See `triage.llm.vendor.Provider`."""

    def __init__(
        self, endpoint: str, key: str, now: Callable[[], int], *, api: Wire = "responses", api_version: str
    ) -> None:
        """Args: endpoint: Such as https://NAME.openai.azure.com."""
        self._api_version = api_version
        super().__init__(endpoint, key, now, api=api)

    def _open(self, endpoint: str, key: str) -> openai.OpenAI:
        return openai.AzureOpenAI(
            api_key=key, azure_endpoint=endpoint, api_version=self._api_version, max_retries=0, http_client=client()
        )
