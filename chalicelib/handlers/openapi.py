"""The OpenAPI 3.1 document, made from the routes themselves (decision 0004)."""

import functools
import re
from typing import Any

import msgspec

from chalicelib.domain import errors
from chalicelib.domain.errors import Refusal
from chalicelib.handlers import problems
from chalicelib.handlers.http import OPERATIONS, PUBLIC, Operation, media_type
from chalicelib.handlers.parsing import FILES
from chalicelib.handlers.problems import CONTENT_TYPE, TABLE, TYPE_PREFIX, Problem

_REF = "#/components/schemas/{name}"
_DESCRIPTION = """The learning service of an NHS employer: what training each person must hold,
where they stand, and how they get it.

**Signing in.** `POST /v1/sign-in` gives an access token; send it as `Authorization: Bearer …`. The token says who you are;
what you may do follows from your employment and from role grants, read at every request.

**Employer.** Everything belongs to one employer. If you have several, name one with `?employer=504`.

**Times** are UTC ISO 8601; **days** are civil days in Europe/London.

**Errors** are `application/problem+json` (RFC 9457): `type` names the rule that decided, `detail` says what happened,
`way_out` what to do, `errors` lists every wrong field, `facts` what the rule looked at. Nothing is half done.

**Repeating.** POSTs that create accept an `Idempotency-Key`, kept for a day: a repetition gets the first answer.

**Lists** page: send `next_cursor` back as `cursor`."""

_TAGS = {
    "Signing in and health": "What needs no token.",
    "About me": "Who one is.",
    "My messages": "One's inbox, and how one wants messages to come.",
    "Compliance": "Where one stands, one's team, and anybody one may see; on any day, explained.",
    "People": "Finding people, and their learning history.",
    "Awards": "What people have achieved.",
    "Catalogue": "Courses and classes one may see.",
    "My enrolments": "Taking a place and giving it back.",
    "Structure": "Units, jobs, positions, staff groups, learner groups.",
    "Workforce": "Joiners, movers and leavers.",
    "Competencies": "What there is to be held: the national framework and one's own; settings.",
    "Role grants": "Who administers.",
}


@functools.cache
def document() -> dict[str, Any]:
    """The whole document. Importing the app declares every route; this only reads them."""
    shapes = [shape for each in OPERATIONS for shape in (each.body, each.answer) if shape and shape not in FILES]
    schemas, components = msgspec.json.schema_components([*shapes, Problem], ref_template=_REF)
    reference: dict[Any, Any] = dict(zip([*shapes, Problem], schemas, strict=True))
    reference |= {file: {"type": "string"} for file in FILES}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, reference)
    return {
        "openapi": "3.1.0",
        "info": {"title": "ESR Learning", "version": "1.0.0", "description": _DESCRIPTION},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _operation(operation: Operation, reference: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag],
        "parameters": _parameters(operation),
        "responses": {str(operation.status): _answer(operation, reference), **_problems(operation, reference[Problem])},
    }
    if operation.capability == PUBLIC:
        described["security"] = []
    else:
        described["security"] = [{"token": []}]
        described["x-capability"] = str(operation.capability)
    if operation.body:
        content = {media_type(operation.body): {"schema": reference[operation.body]}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "pattern": r"^[\w.~|-]{1,256}$"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    if operation.query:
        _, components = msgspec.json.schema_components([operation.query], ref_template=_REF)
        schema = components[operation.query.__name__]
        for name, shape in schema["properties"].items():
            resolved = _resolved(shape, components)
            parameter = {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", []),
                "schema": resolved,
            }
            if resolved.get("type") == "array":
                parameter |= {"style": "form", "explode": False}
            if text := _described(resolved):
                parameter["description"] = text
            parameters.append(parameter)
    if operation.capability != PUBLIC:
        parameters.append(
            {
                "name": "employer",
                "in": "query",
                "required": False,
                "description": "The employer, such as 504; needed only by people who have several.",
                "schema": {"type": "string", "pattern": "^[A-Z0-9]{2,8}$"},
            }
        )
    if operation.idempotent:
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "Any text unique to this request; a repetition within a day gets the first answer.",
                "schema": {"type": "string", "pattern": r"^[\w.:-]{1,80}$"},
            }
        )
    return parameters


def _resolved(shape: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema with its references put in place, and without the null that only a missing parameter means."""
    if "$ref" in shape:
        named = components[shape["$ref"].rpartition("/")[2]]
        return {**_resolved(named, components), **{key: value for key, value in shape.items() if key != "$ref"}}
    if "items" in shape:
        return {**shape, "items": _resolved(shape["items"], components)}
    if "anyOf" in shape:
        given = [each for each in shape["anyOf"] if each != {"type": "null"}]
        if len(given) == 1:
            rest = {key: value for key, value in shape.items() if key not in ("anyOf", "default")}
            return {**_resolved(given[0], components), **rest}
    return shape


def _described(schema: dict[str, Any]) -> str | None:
    text = schema.get("description")
    return str(text) if text else None


def _answer(operation: Operation, reference: dict[Any, Any]) -> dict[str, Any]:
    if operation.answer:
        schema = reference[operation.answer]
        text = "The file." if operation.answer in FILES else " ".join((operation.answer.__doc__ or "").split())
        return {"description": text, "content": {media_type(operation.answer): {"schema": schema}}}
    if operation.status == 204:
        return {"description": "Done; there is nothing to say."}
    return {"description": "The document.", "content": {"application/json": {"schema": {"type": "object"}}}}


def _problems(operation: Operation, schema: Any) -> dict[str, Any]:
    """The problems a route can answer, by status: those any route can, and its own."""
    general: list[type[Refusal]] = [errors.Invalid, errors.Unavailable]
    if operation.capability != PUBLIC:
        general += [errors.Unauthenticated, errors.NotPermitted, errors.EmployerNotYours, errors.EmployerNeeded]
    if operation.body:
        general.append(problems.UnsupportedMediaType)
    if operation.idempotent:
        general.append(errors.IdempotencyMismatch)
    if "{" in operation.path:
        general.append(errors.NotFound)
    by_status: dict[int, dict[str, Any]] = {}
    for refusal in dict.fromkeys((*general, *operation.refusals)):
        kind = TABLE[refusal]
        example = {"type": TYPE_PREFIX + kind.slug, "title": kind.title, "status": kind.status, "detail": "…"}
        by_status.setdefault(kind.status, {})[kind.slug] = {
            "summary": " ".join((refusal.__doc__ or "").split()),
            "value": {**example, "way_out": refusal.way_out},
        }
    return {
        str(status): {
            "description": "; ".join(examples[slug]["summary"] for slug in examples),
            "content": {CONTENT_TYPE: {"schema": schema, "examples": examples}},
        }
        for status, examples in sorted(by_status.items())
    }
