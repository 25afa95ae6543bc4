"""The OpenAPI file, from the table of routes: 3.1 for everything, 3.0 for score and decide (External Services)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from triage.api.problems import MEDIA, TITLES, Problem
from triage.api.routes import MOST, ROUTES, Param, Route

USUAL = (400, 401, 403, 413, 415, 422, 429)
"""What every operation with a key may answer beside what it is for."""

_REF = "#/components/schemas/{name}"


def document(version: str, routes: Iterable[Route] = ROUTES) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of *routes*."""
    routes = tuple(routes)
    kinds = [Problem, *(route.answer for route in routes), *(route.body for route in routes if route.body is not None)]
    _, schemas = msgspec.json.schema_components(kinds, ref_template=_REF)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "triage", "version": version,
            "description": "Escalation before the breach: scores, dry decisions, intake, audit and steering.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip


def document_30(version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.0 document of score and decide, as Salesforce External Services import it."""
    found: dict[str, Any] = _older(document(version, [route for route in ROUTES if route.name in ("score", "decide")]))
    del found["info"]["license"]["identifier"]
    return found | {"openapi": "3.0.3"}


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [*map(_path_param, re.findall(r"{(\w+)}", route.path)), *map(_query_param, route.params)],
        "responses": {"200": _response(route)} | {str(status): _problem(status) for status in _statuses(route)},
    }
    if route.method != "GET":
        found["parameters"].append(_IDEMPOTENCY)
    if route.scope:
        found["security"] = [{"key": []}]
        found["description"] = f"Needs a key with scope `{route.scope}`."
    if route.body is not None:
        content: dict[str, Any] = {"schema": {"$ref": _REF.format(name=route.body.__name__)}}
        if route.example is not None:
            content["example"] = route.example
        found["requestBody"] = {"required": True, "content": {"application/json": content}}
    return found


_IDEMPOTENCY: dict[str, Any] = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "description": "The same request with the same key is carried out once, and answered the same for a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[A-Za-z0-9._:-]+$"},
}  # fmt: skip


def _statuses(route: Route) -> list[int]:
    usual = USUAL if route.scope else (400, 429)
    return sorted({*usual, *route.expected, *((503,) if route.scope else ())})


def _response(route: Route) -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"$ref": _REF.format(name=route.answer.__name__)}}}
    if route.name == "listAudit":
        content |= {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/jsonl")}
    return {"description": route.summary, "content": content}


def _problem(status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "description": TITLES[status],
        "content": {MEDIA: {"schema": {"$ref": _REF.format(name=Problem.__name__)}}},
    }
    if status in (429, 503):
        text = "Seconds after which to ask again."
        found["headers"] = {"Retry-After": {"description": text, "schema": {"type": "string"}}}
    return found


def _path_param(name: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 160, "pattern": "^[A-Za-z0-9._:@-]+$"}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _query_param(param: Param) -> dict[str, Any]:
    schemas: dict[str, dict[str, Any]] = {
        "text": {"type": "string", "maxLength": 200},
        "integer": {"type": "integer", "minimum": 1, "maximum": MOST},
        "flag": {"type": "boolean"},
        "instant": {"type": "string", "format": "date-time"},
    }
    schema = schemas[param.kind] | ({"default": param.default} if param.default not in (None, "") else {})
    return {"name": param.name, "in": "query", "required": False, "description": param.text, "schema": schema}


def _older(value: Any) -> Any:
    """Return a schema in the words of OpenAPI 3.0: null becomes `nullable`, const an enum of one, examples go."""
    if isinstance(value, list):
        return [_older(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: _older(one) for name, one in value.items() if name != "examples"}
    if "const" in found:
        found["enum"] = [found.pop("const")]
    kinds = found.get("anyOf")
    if isinstance(kinds, list) and {"type": "null"} in kinds:
        rest = [kind for kind in kinds if kind != {"type": "null"}]
        del found["anyOf"]
        found |= rest[0] | {"nullable": True} if len(rest) == 1 else {"anyOf": rest, "nullable": True}
    if "prefixItems" in found:
        found["items"] = {"anyOf": found.pop("prefixItems")}
    return found
