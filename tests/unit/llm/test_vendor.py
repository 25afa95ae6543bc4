"""Statuses become errors by number and by the vendor's own code, never by words."""

from __future__ import annotations

import pytest

from triage.domain.instant import SECOND
from triage.errors import AnswerRefused, VendorBusy, VendorRefused
from triage.llm.vendor import SETTING_FAULTS, WAIT_MOST, retry_after, status_error


@pytest.mark.parametrize(
    ("status", "code", "kind", "named", "free"),
    [
        (401, "", VendorRefused, "auth", True), (403, "", VendorRefused, "forbidden", True),
        (404, "", VendorRefused, "unknown_model", True), (402, "", VendorRefused, "quota", True),
        (400, "", VendorRefused, "bad_request", True), (422, "", VendorRefused, "bad_request", True),
        (307, "", VendorRefused, "redirected", True), (429, "", VendorBusy, "rate_limited", True),
        (429, "insufficient_quota", VendorRefused, "quota", True),
        (400, "model_not_found", VendorRefused, "unknown_model", True),
        (400, "content_filter", AnswerRefused, "safety_stop", True), (408, "", VendorBusy, "timeout", True),
        (409, "", VendorBusy, "busy", True), (500, "", VendorBusy, "server_error", False),
        (502, "", VendorBusy, "server_error", False), (504, "", VendorBusy, "server_error", False),
        (503, "", VendorBusy, "overloaded", True), (529, "", VendorBusy, "overloaded", True),
    ],
)  # fmt: skip
def test_a_status_is_one_error(status: int, code: str, kind: type, named: str, free: bool) -> None:
    found = status_error(status, "words: rate limit, quota, invalid key", code=code)
    assert type(found) is kind
    assert (found.code, found.free) == (named, free)
    assert (kind is VendorRefused) == (named in SETTING_FAULTS)


def test_the_request_id_is_kept() -> None:
    assert status_error(500, "", headers={"x-request-id": "r1"}).request == "r1"
    assert status_error(500, "", headers={"request-id": "r2"}).request == "r2"


@pytest.mark.parametrize(
    ("headers", "millis"),
    [
        ({}, 0), ({"retry-after": "2"}, 2 * SECOND), ({"retry-after": "0.5"}, 500), ({"retry-after-ms": "250"}, 250),
        ({"retry-after": "Mon, 02 Mar 2026 09:00:10 GMT"}, 10 * SECOND), ({"retry-after": "soon"}, 0),
        ({"retry-after": "-5"}, 0), ({"retry-after": "9" * 40}, WAIT_MOST), ({"retry-after-ms": "nan"}, 0),
        ({"retry-after": "Sun, 01 Mar 2026 09:00:10 GMT"}, 0), ({"retry-after-ms": "inf"}, 0),
    ],
)  # fmt: skip
def test_retry_after_is_read_in_every_form(headers: dict[str, str], millis: int) -> None:
    assert retry_after(headers, 1_772_442_000_000) == millis
