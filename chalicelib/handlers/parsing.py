"""Requests into structs, naming every field that is wrong, not only the first."""

import json
import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec

from chalicelib.domain.errors import FieldError, Invalid

MAX_BODY_BYTES = 64 * 1024
"""Of a JSON body, unless its shape has a `MAX_BODY_BYTES` of its own."""

MAX_CSV_BYTES = 5 * 2**20
"""Enough for a catalogue of some 3,000 courses; a request to a Lambda takes 6 MB."""
T = TypeVar("T", bound=msgspec.Struct)

_MANY = (list, tuple, set, frozenset)


def body(raw: bytes, shape: type[T]) -> T:
    """A JSON body of this shape. Raises Invalid naming every missing, wrong and unknown field as `body.…`."""
    most = getattr(shape, "MAX_BODY_BYTES", MAX_BODY_BYTES)
    if len(raw) > most:
        raise Invalid(FieldError("body", f"is larger than {most} bytes"))
    try:
        values = json.loads(raw or b"null", parse_constant=_no_constant)
        if rb"\u" in raw:  # half of a character can be written so, and neither be kept nor be sent back
            json.dumps(values, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise Invalid(FieldError("body", "is not JSON")) from None
    if not isinstance(values, dict):
        raise Invalid(FieldError("body", "must be a JSON object"))
    return _struct(values, shape, "body", strict=True)


class Csv(msgspec.Struct, frozen=True):
    """Body of a route that takes text/csv, or answer of one that gives it: the bytes as they came, or are to go."""

    content: bytes


class Pdf(msgspec.Struct, frozen=True):
    """Answer of a route that gives a document: its bytes, and the name to save it under."""

    content: bytes
    name: str


class ICalendar(msgspec.Struct, frozen=True):
    """Answer of a route that gives a calendar (RFC 5545)."""

    content: bytes


FILES: dict[type[msgspec.Struct], str] = {Csv: "text/csv", Pdf: "application/pdf", ICalendar: "text/calendar"}
"""What travels as it is instead of as JSON, with its media type."""


def csv_body(raw: bytes) -> Csv:
    """A CSV body. Raises Invalid if there is none, or too much; what is in it is for the domain to read."""
    if len(raw) > MAX_CSV_BYTES:
        raise Invalid(FieldError("body", f"is larger than {MAX_CSV_BYTES} bytes"))
    if not raw.strip():
        raise Invalid(FieldError("body", "is empty"))
    return Csv(raw)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def query(values: Mapping[str, list[str]], shape: type[T]) -> T:
    """Query parameters of this shape; a parameter that takes several values may be repeated or separated by commas."""
    fields = {field.encode_name: field for field in _fields(shape)}
    simple: dict[str, Any] = {}
    wrong = []
    for name, given in values.items():
        if name in fields and _takes_many(fields[name].type):
            simple[name] = [part for value in given for part in value.split(",")]
        elif len(given) > 1:
            wrong.append(FieldError(f"query.{_shown(name)}", "may be given only once"))
        else:
            simple[name] = given[0]
    if wrong:
        raise Invalid(*wrong)
    return _struct(simple, shape, "query", strict=False)


@cache
def _fields(shape: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """The fields of a shape, whose annotations msgspec evaluates anew each time."""
    return msgspec.structs.fields(shape)


def _takes_many(type_: Any) -> bool:
    while typing.get_origin(type_) is typing.Annotated:
        type_ = typing.get_args(type_)[0]
    return typing.get_origin(type_) in _MANY


def struct(values: Mapping[str, Any], shape: type[T], where: str) -> T:
    """A JSON object that came some other way than as a body. Raises Invalid naming every wrong field as `where.…`."""
    return _struct(values, shape, where, strict=True)


def _struct(values: Mapping[str, Any], shape: type[T], where: str, strict: bool) -> T:
    errors = []
    parsed = {}
    fields = _fields(shape)
    for field in fields:
        place = f"{where}.{field.encode_name}"
        if field.encode_name not in values:
            if field.required:
                errors.append(FieldError(place, "is missing"))
            continue
        try:
            parsed[field.name] = msgspec.convert(values[field.encode_name], field.type, strict=strict)
        except msgspec.ValidationError:
            errors += _wrong(values[field.encode_name], field.type, place, strict)
    known = {field.encode_name for field in fields}
    errors += [FieldError(f"{where}.{_shown(name)}", "is not known here") for name in values if name not in known]
    if errors:
        raise Invalid(*errors)
    return shape(**parsed)


def _wrong(value: Any, type_: Any, where: str, strict: bool) -> list[FieldError]:
    """What is wrong with a value: every wrong field of the structs in it, or the value itself."""
    try:
        msgspec.convert(value, type_, strict=strict)
    except msgspec.ValidationError as wrong:
        within = _within(value, type_, where) if strict else []  # a query's list is written as one value
        return within or [FieldError(where, _plain(str(wrong)))]
    return []


def _within(value: Any, type_: Any, where: str) -> list[FieldError]:
    for each in _alternatives(type_):
        if isinstance(value, list) and typing.get_origin(each) is list:
            (of,) = typing.get_args(each)
            return [
                error for place, one in enumerate(value) for error in _wrong(one, of, f"{where}[{place}]", strict=True)
            ]
        if isinstance(value, dict) and isinstance(each, type) and issubclass(each, msgspec.Struct):
            try:
                _struct(value, each, where, strict=True)
            except Invalid as invalid:
                return list(invalid.errors)
    return []


def _alternatives(type_: Any) -> list[Any]:
    """The types of a union, or the one type, without annotations."""
    if typing.get_origin(type_) is typing.Annotated:
        return _alternatives(typing.get_args(type_)[0])
    if isinstance(type_, types.UnionType) or typing.get_origin(type_) is typing.Union:
        return [each for part in typing.get_args(type_) for each in _alternatives(part)]
    return [type_]


def _plain(message: str) -> str:
    """Msgspec's sentence as a reason. It speaks of types, bounds and places, and of short enum values, never of long input."""
    reason = message.replace("`", "").replace(" - at $", " at ").replace("Expected", "expected")
    return (reason[:1].lower() + reason[1:200]).encode(errors="replace").decode()


def _shown(name: str) -> str:
    return name if name.isidentifier() and len(name) <= 40 else "(unknown)"
