"""Logs and metrics. Ids only: names, addresses and what people typed never reach them."""

import os
import traceback

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME", "esr-learning"), log_uncaught_exceptions=False)
metrics = Metrics(
    namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "EsrLearning"),
    service=os.environ.get("POWERTOOLS_SERVICE_NAME", "esr-learning"),
)


def count(name: str, number: int = 1) -> None:
    """Count something once; written out at the end of the invocation."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)


def log_fault(fault: BaseException, **facts: str | int | None) -> None:
    """Log an unexpected exception by type and place. Its message is left out: it may quote what somebody typed."""
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(fault.__traceback__)]
    causes = []
    cause: BaseException | None = fault
    while cause is not None:
        causes.append(type(cause).__name__)
        cause = cause.__cause__
    logger.error("fault", extra={"fault": causes, "frames": frames, **facts})
