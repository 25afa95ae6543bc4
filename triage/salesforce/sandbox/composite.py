"""Many requests in one: composite with references, and collections of up to 200 records."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from triage.salesforce.sandbox.organisation import Organisation
from triage.salesforce.sandbox.rest import Answer, Call, Resources
from triage.salesforce.sandbox.values import Refused

MOST_PARTS = 25
MOST_RECORDS = 200

_REFERENCE = re.compile(r"@\{([A-Za-z0-9_]+)\.([A-Za-z0-9_.\[\]]+)\}")
_HALTED = {
    "errorCode": "PROCESSING_HALTED",
    "message": "The transaction was rolled back since another operation in the same transaction failed.",
}


class _Halt(Exception):
    """One part failed, and so all are undone."""


def composite(call: Call, resources: Resources) -> Answer:
    """Run up to 25 requests in order, each of which may refer to answers before it."""
    body = call.json()
    parts = body.get("compositeRequest", [])
    if not isinstance(parts, list) or not 0 < len(parts) <= MOST_PARTS:
        raise Refused("PROCESSING_HALTED", f"The number of subrequests must be between 1 and {MOST_PARTS}")
    names = [part.get("referenceId") for part in parts]
    if len(set(names)) != len(names) or not all(names):
        raise Refused("INVALID_REQUEST", "referenceId is missing, or stands twice")
    whole = bool(body.get("allOrNone"))
    answers: dict[str, Answer] = {}
    with contextlib.suppress(_Halt), _all_or_none(resources.org, whole):
        for part in parts:
            answers[part["referenceId"]] = _part(part, call, resources, answers)
            if whole and answers[part["referenceId"]].status >= 400:
                raise _Halt
    failed = [name for name, one in answers.items() if one.status >= 400]
    found = []
    for name in names:
        one = answers.get(name)
        if one is None or (whole and failed and name not in failed):
            one = Answer(status=400, body=[_HALTED])
        found.append({"body": one.body, "httpHeaders": {}, "httpStatusCode": one.status, "referenceId": name})
    return Answer(body={"compositeResponse": found})


@contextlib.contextmanager
def _all_or_none(org: Organisation, whole: bool) -> Iterator[None]:
    if not whole:
        yield
        return
    with org.transaction():
        yield


def _part(part: Mapping[str, Any], call: Call, resources: Resources, answers: Mapping[str, Answer]) -> Answer:
    """
    Run one part.

    Of the outer request's headers a part inherits Accept, Authorization and Content-Type only: what forbids assignment
    rules has to stand in the part's own `httpHeaders`.
    """
    try:
        text = msgspec.json.encode(_filled(part.get("body"), answers))
        url = urlsplit(str(_filled(part["url"], answers)))
        pieces = tuple(piece for piece in url.path.split("/") if piece)[3:]
        headers = {key.lower(): str(value) for key, value in (part.get("httpHeaders") or {}).items()}
        if "sforce-call-options" in call.headers:
            headers.setdefault("sforce-call-options", call.headers["sforce-call-options"])
        inner = Call(
            method=part["method"], parts=pieces, params=dict(parse_qsl(url.query)), headers=headers, body=text,
            user=call.user,
        )  # fmt: skip
        if pieces[:2] == ("composite", "sobjects"):
            return collection(inner, resources.org)
        return resources.answer(inner)
    except Refused as cause:
        return Answer(status=cause.status, body=[cause.body()])


def _filled(value: Any, answers: Mapping[str, Answer]) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(one, answers) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, answers) for one in value]
    if not isinstance(value, str):
        return value
    return _REFERENCE.sub(lambda found: str(_looked_up(found.group(1), found.group(2), answers)), value)


def _looked_up(name: str, path: str, answers: Mapping[str, Answer]) -> Any:
    found: Any = answers[name].body if name in answers else None
    for step in re.split(r"\.|\[|\]\.?", path):
        if not step:
            continue
        found = found[int(step)] if isinstance(found, list) and step.isdigit() else (found or {}).get(step)
    if found is None:
        raise Refused("PROCESSING_HALTED", f"Invalid reference specified. No value for {path} found in {name}")
    return found


def collection(call: Call, org: Organisation) -> Answer:
    """Create, change or delete up to 200 records; each has its own success and errors, in the order given."""
    if call.method == "DELETE":
        identities = [one for one in call.params.get("ids", "").split(",") if one]
        rows: list[Any] = [{"attributes": {"type": org.table_of(one) or ""}, "id": one} for one in identities]
        whole = call.params.get("allOrNone", "false") == "true"
    else:
        body = call.json()
        rows, whole = body.get("records", []), bool(body.get("allOrNone"))
    if not 0 < len(rows) <= MOST_RECORDS:
        raise Refused("INVALID_BATCH_SIZE", f"The number of records must be between 1 and {MOST_RECORDS}")
    results: list[dict[str, Any]] = []
    try:
        with _all_or_none(org, whole):
            for row in rows:
                results.append(_member(dict(row), call, org))
                if whole and not results[-1]["success"]:
                    raise _Halt
    except _Halt:
        failed = results[-1]
        rolled = {"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": "Record rolled back", "fields": []}
        results = [{"success": False, "errors": [rolled]} for _ in rows]
        results[_place(rows, failed)] = failed
    return Answer(body=[{key: value for key, value in one.items() if key != "at"} for one in results])


def _place(rows: list[Any], failed: Mapping[str, Any]) -> int:
    return next(number for number, row in enumerate(rows) if row is failed["at"] or dict(row) == failed["at"])


def _member(row: dict[str, Any], call: Call, org: Organisation) -> dict[str, Any]:
    kept = dict(row)
    try:
        name = str(row.pop("attributes", {}).get("type", ""))
        identity = str(row.pop("id", "") or row.pop("Id", ""))
        if call.method == "POST":
            identity = org.create(name, row, call.caller)
        elif call.method == "PATCH":
            org.update(name, identity, row, call.caller)
        else:
            org.delete(name, identity, call.caller)
    except Refused as cause:
        error = {"statusCode": cause.code, "message": cause.text, "fields": list(cause.fields)}
        return {"success": False, "errors": [error], "at": kept}
    return {"id": identity, "success": True, "errors": []}
