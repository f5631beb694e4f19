"""Logs and metrics. Ids only: names, addresses and what people typed never reach them."""

import functools
import os
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from aws_lambda_powertools.logging import Logger

if TYPE_CHECKING:
    from aws_lambda_powertools.metrics import Metrics

P = ParamSpec("P")
T = TypeVar("T")

SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "esr-learning")
NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "EsrLearning")

logger = Logger(service=SERVICE, log_uncaught_exceptions=False)


@functools.cache
def _metrics() -> "Metrics":
    # Imported on first use: only event handlers count, and the API starts 20 ms sooner without it.
    from aws_lambda_powertools.metrics import Metrics

    return Metrics(namespace=NAMESPACE, service=SERVICE)


def count(name: str, number: int = 1) -> None:
    """Count something; written out when the event handler ends."""
    _metrics().add_metric(name=name, unit="Count", value=number)


def counting(handler: Callable[P, T]) -> Callable[P, T]:
    """An event handler whose counts are written out when it ends, also by an exception."""

    @functools.wraps(handler)
    def handle(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return handler(*args, **kwargs)
        finally:
            if _metrics().metric_set:
                _metrics().flush_metrics()

    return handle


def log_fault(fault: BaseException, **facts: str | int | None) -> None:
    """Log an unexpected exception by type and place. Its message is left out: it may quote what somebody typed."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(fault.__traceback__)]
    causes = []
    cause: BaseException | None = fault
    while cause is not None:
        causes.append(type(cause).__name__)
        cause = cause.__cause__
    logger.error("fault", extra={"fault": causes, "frames": frames, **facts})
