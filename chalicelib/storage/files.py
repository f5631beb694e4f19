"""Files in S3: what the workforce system drops, and what the service finds out about it.

The workforce bucket is versioned. A file is always read by its version, and by its ETag where a store keeps none, so that one
that is replaced while it is read cannot be taken half and half.
"""

import functools
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import msgspec
from ulid import ULID

from chalicelib.config import setting
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.external_training import Found

CHUNK = 64 * 2**10
"""Bytes read at once."""


@functools.cache
def _s3() -> Any:
    import boto3
    from botocore.config import Config

    # Without a checksum of its own in the signature, an address to upload to takes a plain PUT.
    return boto3.client(
        "s3",
        config=Config(
            connect_timeout=1,
            read_timeout=5,
            retries={"total_max_attempts": 3},
            signature_version="s3v4",
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


class FileGone(Exception):
    """The file, or the version of it that is meant, is not there any longer."""


@contextmanager
def _reaching() -> Iterator[None]:
    """Tell what S3 refuses or leaves unanswered in the words of the domain."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as failure:
        if failure.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchVersion", "412", "PreconditionFailed"):
            raise FileGone from failure
        raise Unavailable("The files cannot be reached just now.") from failure
    except BotoCoreError as failure:
        raise Unavailable("The files cannot be reached just now.") from failure


# --- what was dropped ---------------------------------------------------------------------------------------


class Dropped(msgspec.Struct, frozen=True):
    """One version of a file in the workforce bucket. `version` is None in a bucket without versions."""

    key: str
    version: str | None
    etag: str
    size: int
    at: datetime

    @property
    def id(self) -> str:
        """A ULID of when it was dropped and what it is: the same however often it is told of."""
        milliseconds = int(self.at.timestamp() * 1000).to_bytes(6, "big")
        named = json.dumps([self.key, self.version or self.etag]).encode()
        return str(ULID(milliseconds + hashlib.sha256(named).digest()[:10]))


def dropped(record: dict[str, Any]) -> Dropped | None:
    """The file that a record of an S3 notification tells of; None if it is gone, or no file of the workforce bucket."""
    told = record["s3"]
    if told["bucket"]["name"] != setting("WORKFORCE_BUCKET"):
        return None
    return look(unquote_plus(told["object"]["key"]), told["object"].get("versionId"))


def look(key: str, version: str | None = None) -> Dropped | None:
    """A file of the workforce bucket, its present version unless another is named; None if there is none."""
    which = {"VersionId": version} if version else {}
    try:
        with _reaching():
            found = _s3().head_object(Bucket=setting("WORKFORCE_BUCKET"), Key=key, **which)
    except FileGone:
        return None
    at = found["LastModified"].astimezone(UTC)
    return Dropped(key, found.get("VersionId"), found["ETag"], found["ContentLength"], at)


def read(file: Dropped, offset: int) -> Iterator[bytes]:
    """The bytes of a file from an offset on, in chunks. Raises FileGone if this version is not there, and Unavailable."""
    if offset >= file.size:
        return
    which = {"VersionId": file.version} if file.version else {}
    where = {"Bucket": setting("WORKFORCE_BUCKET"), "Key": file.key, "Range": f"bytes={offset}-"}
    with _reaching():
        answer = _s3().get_object(**where, **which, IfMatch=file.etag)
        body = answer["Body"]
        # A store may leave the range unheard and send all of it (RFC 9110, 14.2), as the emulator does for a version.
        before = 0 if "ContentRange" in answer else offset
        try:
            while chunk := body.read(min(CHUNK, before) or CHUNK):
                if before:
                    before -= len(chunk)
                else:
                    yield chunk
        finally:
            body.close()


def offer_upload(key: str, seconds: int) -> str:
    """An address to which a file of the workforce bucket may be PUT for so many seconds."""
    where = {"Bucket": setting("WORKFORCE_BUCKET"), "Key": key}
    return str(_s3().generate_presigned_url("put_object", Params=where, ExpiresIn=seconds))


# --- what was found out -------------------------------------------------------------------------------------


def keep(key: str, content: bytes) -> None:
    """Write a small file of results."""
    with _reaching():
        _s3().put_object(Bucket=setting("FILES_BUCKET"), Key=key, Body=content)


def kept(key: str) -> bytes:
    """The content of a small file of results. Raises FileGone."""
    with _reaching():
        return bytes(_s3().get_object(Bucket=setting("FILES_BUCKET"), Key=key)["Body"].read())


def keep_stream(key: str, chunks: Iterable[bytes]) -> None:
    """Write a file of results of any size, eight megabytes of it in memory at a time."""
    from boto3.s3.transfer import TransferConfig

    stream = io.BufferedReader(_Stream(iter(chunks).__next__))
    with _reaching():
        _s3().upload_fileobj(stream, setting("FILES_BUCKET"), key, Config=TransferConfig(use_threads=False))


class _Stream(io.RawIOBase):
    """Chunks as a stream that can be read."""

    def __init__(self, following: Callable[[], bytes]) -> None:
        self._following = following
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = self._following()
            except StopIteration:
                return 0
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def offer_download(key: str, name: str, seconds: int) -> str:
    """An address from which a CSV file of results may be fetched for so many seconds, to be saved under a name."""
    where = {
        "Bucket": setting("FILES_BUCKET"),
        "Key": key,
        "ResponseContentType": "text/csv; charset=utf-8",
        "ResponseContentDisposition": f'attachment; filename="{name}"',
    }
    return str(_s3().generate_presigned_url("get_object", Params=where, ExpiresIn=seconds))


# --- evidence of learning -------------------------------------------------------------------------------------


def offer_evidence(key: str, content_type: str, size: int, seconds: int) -> str:
    """An address to which a file of exactly this media type and size may be PUT for so many seconds. S3 refuses any other."""
    where = {"Bucket": setting("FILES_BUCKET"), "Key": key, "ContentType": content_type, "ContentLength": size}
    return str(_s3().generate_presigned_url("put_object", Params=where, ExpiresIn=seconds))


def sent(key: str, length: int) -> Found | None:
    """What was sent under a key, with so many of its first bytes; None if nothing was."""
    try:
        with _reaching():
            answer = _s3().get_object(Bucket=setting("FILES_BUCKET"), Key=key)
            body = answer["Body"]
            try:
                beginning = bytes(body.read(length))
            finally:
                body.close()
    except FileGone:
        return None
    # A store that keeps no versions calls the only one "null", as S3 does.
    version = answer.get("VersionId", "null")
    return Found(answer["ContentLength"], answer.get("ContentType", ""), version, beginning)


def offer_evidence_download(key: str, version: str, content_type: str, name: str, seconds: int) -> str:
    """An address from which this version of a file may be fetched for so many seconds, to be saved and not to be shown: a
    browser runs nothing that may be in it.
    """
    where = {
        "Bucket": setting("FILES_BUCKET"),
        "Key": key,
        "VersionId": version,
        "ResponseContentType": content_type,
        "ResponseContentDisposition": f'attachment; filename="{name}"',
    }
    return str(_s3().generate_presigned_url("get_object", Params=where, ExpiresIn=seconds))
