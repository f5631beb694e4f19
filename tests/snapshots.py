"""States of moto that many tests begin with, made through the services once for each process and put back from then on."""

import copy

from moto.core import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

KEPT = {}
"""What the services held, by the name of the state."""


def _services():
    regional = [each[DEFAULT_ACCOUNT_ID]["eu-west-2"] for each in (dynamodb_backends, sqs_backends)]
    return [*regional, s3_backends[DEFAULT_ACCOUNT_ID]["aws"]]


def _copies(services, held):
    # What a state refers to without holding it: its service, and the lock of each queue, which nobody has here.
    kept = [*services, *(queue._messages_lock for state in held for queue in state.get("queues", {}).values())]
    return [copy.deepcopy(state, {id(each): each for each in kept}) for state in held]


def begin(name, make):
    """Let tables, queues and buckets be as `make()` leaves them; returns what it returned when it was called."""
    services = _services()
    if name in KEPT:
        returned, held = KEPT[name]
        for service, state in zip(services, _copies(services, held), strict=True):
            service.__dict__ = state
        return returned
    returned = make()
    KEPT[name] = returned, _copies(services, [each.__dict__ for each in services])
    return returned


def nothing_written():
    """Whether all there is are empty tables, queues and buckets."""
    tables, queues, files = _services()
    held = (
        *tables.tables.values(),
        *(each.messages for each in queues.queues.values()),
        *(each.keys for each in files.buckets.values()),
    )
    return not any(map(len, held))
