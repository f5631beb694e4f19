"""The one route wrapper: who asks, whether they may, what they sent, what went wrong, and what the OpenAPI document says.

Chalice turns a view's exception into a 500 before any middleware sees it, so everything that must happen for every route
happens here. A route without a declared capability cannot be written: the argument has no default.
"""

import base64
import hashlib
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import msgspec
from chalice import Blueprint, Response
from chalice.app import Request as ChaliceRequest

from chalicelib import cognito
from chalicelib.domain import errors
from chalicelib.domain.actor import Actor
from chalicelib.domain.errors import FieldError, Invalid, Refusal
from chalicelib.domain.permissions import Capability, Role, scopes
from chalicelib.handlers import parsing, problems
from chalicelib.handlers.parsing import FILES, Csv, Pdf
from chalicelib.observability import log_fault, logger
from chalicelib.services import identity
from chalicelib.storage.base import StorageError
from chalicelib.storage.idempotency import Idempotency, answered
from chalicelib.storage.transaction import AlreadyDone

PUBLIC = "public"
"""The capability of a route that asks nobody who they are. Must be written out, like any other."""

_IDENTIFIER = re.compile(r"[\w.~|-]{1,256}")
_EMPLOYER = re.compile(r"[A-Z0-9]{2,8}")
_IDEMPOTENCY_KEY = re.compile(r"[\w.:-]{1,80}")
_BEARER = re.compile(r"Bearer ([\w.=-]{1,4096})", re.IGNORECASE)


JSON = "application/json"


def media_type(shape: type[msgspec.Struct]) -> str:
    """The media type in which a body or answer travels."""
    return FILES.get(shape, JSON)


class Binary(Response):
    """An answer of bytes, sent base64-encoded as API Gateway wants them; it decodes them for whoever asked.

    Chalice would refuse, in a shape of its own, whoever does not name the media type in `Accept`.
    """

    def to_dict(self, binary_types: list[str] | None = None) -> dict[str, Any]:
        """The answer as Lambda gives it."""
        encoded = {"body": base64.b64encode(self.body).decode(), "isBase64Encoded": True}
        return {**super().to_dict(binary_types), **encoded}


class Operation(msgspec.Struct, frozen=True):
    """A route as the OpenAPI document needs it."""

    method: str
    path: str
    name: str
    capability: Capability | str
    summary: str
    description: str
    body: type[msgspec.Struct] | None
    query: type[msgspec.Struct] | None
    answer: type[msgspec.Struct] | None
    status: int
    refusals: tuple[type[Refusal], ...]
    idempotent: bool
    tag: str


OPERATIONS: list[Operation] = []
"""Every route, in order of declaration."""


class Request(msgspec.Struct, frozen=True):
    """What a view gets: who asks, what they sent, when, and the use of an Idempotency-Key if they sent one."""

    actor: Actor
    path: Mapping[str, str]
    body: Any
    query: Any
    now: datetime
    once: Idempotency | None


class PublicRequest(msgspec.Struct, frozen=True):
    """What a public view gets."""

    path: Mapping[str, str]
    body: Any
    query: Any
    now: datetime


def now() -> datetime:
    """The clock of every request: UTC."""
    return datetime.now(UTC)


ANSWER_SECONDS = 20
"""How long many things are worked on in one request: API Gateway waits 29 s for an answer."""


def time_to_answer() -> Callable[[], bool]:
    """Whether there is still time to go on before a request has to be answered, counted from now."""
    until = time.monotonic() + ANSWER_SECONDS
    return lambda: time.monotonic() < until


class Routes:
    """Declares the routes of one blueprint."""

    def __init__(self, blueprint: Blueprint, tag: str) -> None:
        self._blueprint = blueprint
        self._tag = tag

    def route(
        self,
        method: str,
        path: str,
        *,
        capability: Capability | str,
        summary: str,
        answer: type[msgspec.Struct] | None = None,
        body: type[msgspec.Struct] | None = None,
        query: type[msgspec.Struct] | None = None,
        status: int = 200,
        refusals: tuple[type[Refusal], ...] = (),
    ) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
        """Declare a route. The view gets a Request (PublicRequest where public), returns what `answer.of` presents.

        `refusals` are those particular to this route, for the OpenAPI document; those any route can give are added there.
        A POST that creates (201) accepts an Idempotency-Key.
        """

        def declare(view: Callable[[Any], Any]) -> Callable[[Any], Any]:
            operation = Operation(
                method,
                path,
                view.__name__,
                capability,
                summary,
                " ".join((view.__doc__ or "").split()),
                body,
                query,
                answer,
                status,
                refusals,
                method == "POST" and status == 201 and capability != PUBLIC,
                self._tag,
            )
            OPERATIONS.append(operation)

            def entry(**path_values: str) -> Response:
                return _handle(operation, view, self._blueprint.current_request, path_values)

            entry.__name__, entry.__module__ = view.__name__, view.__module__
            entry.__doc__ = view.__doc__
            self._blueprint.route(path, methods=[method], content_types=[JSON, "*/*"])(entry)
            return view

        return declare


def _handle(
    operation: Operation, view: Callable[[Any], Any], request: ChaliceRequest, path_values: Mapping[str, str]
) -> Response:
    began = time.perf_counter()
    actor: Actor | None = None
    try:
        path = _checked_path(path_values)
        if operation.capability == PUBLIC:
            public = PublicRequest(path, _body(operation, request), _query(operation, request), now())
            response = _present(operation, view(public))
        else:
            actor = _actor(operation, request)
            response = _answer(operation, view, request, actor, path)
    except Refusal as refusal:
        response = problems.respond(refusal)
    except StorageError as failure:
        log_fault(failure, route=operation.name)
        response = problems.respond(errors.Unavailable("The records cannot be reached just now."))
    except Exception as fault:
        log_fault(fault, route=operation.name)
        response = problems.respond(problems.Fault("The request could not be carried out."))
    _log(operation, response, actor, began)
    return response


def _answer(
    operation: Operation,
    view: Callable[[Any], Any],
    request: ChaliceRequest,
    actor: Actor,
    path: Mapping[str, str],
) -> Response:
    body = _body(operation, request)
    query = _query(operation, request)
    once = _idempotency(operation, request, actor, path)
    try:
        result = view(Request(actor, path, body, query, now(), once))
    except AlreadyDone:
        assert once is not None
        return _replay(operation, once)
    except Refusal:
        # The first attempt may have succeeded without its answer arriving; then the repetition gets that answer.
        if once is not None and answered(once) is not None:
            return _replay(operation, once)
        raise
    return _present(operation, result)


def _replay(operation: Operation, once: Idempotency) -> Response:
    kept = answered(once)
    if kept is None:
        raise errors.Conflict("The request with this Idempotency-Key has just ended.")
    fingerprint, answer = kept
    if fingerprint != once.fingerprint:
        raise errors.IdempotencyMismatch("This Idempotency-Key was used with another request.")
    return _json(answer, operation.status, {"Idempotency-Replayed": "true"})


def _presented(operation: Operation, result: Any) -> Any:
    assert operation.answer is not None
    presenter: Any = operation.answer
    return presenter.of(result)


def _present(operation: Operation, result: Any) -> Response:
    if isinstance(result, Response):
        return result
    if operation.answer is None:
        return Response("", {"Cache-Control": "no-store"}, operation.status)
    if isinstance(result, Pdf):
        name = {"Content-Disposition": f'inline; filename="{result.name}"'}
        return Binary(result.content, _headers(FILES[Pdf], name), operation.status)
    if kind := FILES.get(type(result)):
        return Response(result.content.decode(), _headers(f"{kind}; charset=utf-8"), operation.status)
    return _json(_presented(operation, result), operation.status, {})


def _json(content: Any, status: int, headers: dict[str, str]) -> Response:
    return Response(msgspec.json.encode(content).decode(), _headers(JSON, headers), status)


def _headers(kind: str, more: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    return {"Content-Type": kind, "Cache-Control": "no-store", **more}


# --- reading the request ------------------------------------------------------------------------------------


def _checked_path(values: Mapping[str, str]) -> Mapping[str, str]:
    wrong = [name for name, value in values.items() if not _IDENTIFIER.fullmatch(value)]
    if wrong:
        raise Invalid(*(FieldError(f"path.{name}", "is not an identifier of this service") for name in wrong))
    return values


def _raw(request: ChaliceRequest) -> bytes:
    raw = request.raw_body
    return raw.encode() if isinstance(raw, str) else raw


def _body(operation: Operation, request: ChaliceRequest) -> Any:
    raw = _raw(request)
    if operation.body is None:
        if raw.strip() not in (b"", b"{}"):
            raise Invalid(FieldError("body", "this request takes no body"))
        return None
    wanted = media_type(operation.body)
    if request.headers.get("content-type", JSON).partition(";")[0].strip().lower() != wanted:
        raise problems.UnsupportedMediaType(f"The body is not sent as {wanted}.", way_out=f"Send the body as {wanted}.")
    return parsing.csv_body(raw) if operation.body is Csv else parsing.body(raw, operation.body)


class NoQuery(msgspec.Struct, frozen=True):
    """A route without query parameters of its own."""


def _query(operation: Operation, request: ChaliceRequest) -> Any:
    given = request.query_params
    values = {name: given.getlist(name) for name in given} if given else {}
    if operation.capability != PUBLIC:
        values.pop("employer", None)
    return parsing.query(values, operation.query or NoQuery)


def _actor(operation: Operation, request: ChaliceRequest) -> Actor:
    bearer = _BEARER.fullmatch(request.headers.get("authorization", "").strip())
    if bearer is None:
        raise errors.Unauthenticated("The request carries no access token.")
    actor = identity.identify(cognito.login_of(bearer[1]), _employer(request), now())
    capability = Capability(operation.capability)
    if not actor.scopes(capability) and not _as_manager(actor, capability):
        raise errors.NotPermitted(
            f"None of your roles may {operation.capability}.", roles=sorted(role.value for role in actor.roles)
        )
    return actor


def _as_manager(actor: Actor, capability: Capability) -> bool:
    """Whether somebody may ask as a manager; towards whom, the service finds out (domain.md §10). Read only where it matters."""
    if not scopes(capability, frozenset({Role.MANAGER})):
        return False
    if identity.manages_anyone(actor, now()):
        return True
    from chalicelib.services import deciding  # what only few routes need

    return capability is Capability.APPROVE_REQUESTS and deciding.is_asked(actor, now())


def _employer(request: ChaliceRequest) -> str | None:
    given = (
        request.query_params.getlist("employer") if request.query_params and "employer" in request.query_params else []
    )
    if not given:
        return None
    if len(given) > 1 or not _EMPLOYER.fullmatch(given[0]):
        raise Invalid(FieldError("query.employer", "is not one employer's code, such as 504"))
    return str(given[0])


def _idempotency(
    operation: Operation, request: ChaliceRequest, actor: Actor, path: Mapping[str, str]
) -> Idempotency | None:
    key = request.headers.get("idempotency-key")
    if key is None or not operation.idempotent:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise Invalid(FieldError("header.Idempotency-Key", "takes up to 80 letters, digits and . : _ -"))
    asked = (
        "\n".join((operation.method, operation.path.format_map(path), actor.employer)).encode() + b"\n" + _raw(request)
    )
    fingerprint = hashlib.sha256(asked).hexdigest()
    return Idempotency(
        actor.person, key, fingerprint, lambda result: msgspec.to_builtins(_presented(operation, result))
    )


def _log(operation: Operation, response: Response, actor: Actor | None, began: float) -> None:
    logger.info(
        "request",
        extra={
            "route": f"{operation.method} {operation.path}",
            "status": response.status_code,
            "milliseconds": round((time.perf_counter() - began) * 1000, 1),
            "employer": actor.employer if actor else None,
            "person": actor.person if actor else None,
        },
    )
