"""The Chalice app: names the modules with routes and declares every event handler; nothing else.

Chalice names each Lambda function after the function here. The ARNs below are placeholders that `infrastructure/template.yaml`
replaces with the resources of the stack. Event handlers import their work when they run, so that the API does not load it.
"""

from typing import Any

from chalice import Response
from chalice.app import DynamoDBEvent, SQSEvent

from chalicelib.handlers import http as _every_request_needs_it  # noqa: F401
from chalicelib.handlers import problems
from chalicelib.handlers.api import Api

app = Api(
    app_name="esr-learning",
    modules=[
        "public",
        "me",
        "inbox",
        "compliance",
        "awards",
        "catalogue",
        "catalogue_items",
        "certifications",
        "catalogue_register",
        "catalogue_files",
        "classes",
        "schedules",
        "learner_access",
        "enrolment",
        "placing_others",
        "learning",
        "messages",
        "calendar",
        "people",
        "units",
        "what_if",
        "structure",
        "workforce",
        "workforce_files",
        "jobs",
        "competence",
        "message_settings",
        "notices",
        "requirements",
        "exemptions",
        "auto_enrolment",
        "roles",
        "class_documents",
        "attendance",
        "certificates",
        "calendar_feeds",
        "external_training",
        "approvals",
        "transfers",
    ],
)


@app.middleware("http")
def one_shape_for_errors(event: Any, get_response: Any) -> Response:
    """Chalice answers a method it does not know by itself; give that the shape of every other error."""
    response: Response = get_response(event)
    if response.status_code == 405:
        allowed = response.headers.get("Allow", "")
        response = problems.respond(problems.MethodNotAllowed("This route takes other methods.", allowed=allowed))
        response.headers["Allow"] = allowed
    return response


@app.on_dynamodb_record(
    stream_arn="arn:aws:dynamodb:eu-west-2:000000000000:table/messages/stream/placeholder", batch_size=100
)
def relay(event: DynamoDBEvent) -> dict[str, Any]:
    """Events of the outbox become notifications."""
    from chalicelib.handlers import events

    return events.relay_events(event.to_dict())


@app.on_sqs_message(queue_arn="arn:aws:sqs:eu-west-2:000000000000:placeholder", batch_size=100)
def mailer(event: SQSEvent) -> dict[str, Any]:
    """Notifications become e-mails."""
    from chalicelib.handlers import events

    context: Any = event.context
    return events.send_mail(event.to_dict(), context.get_remaining_time_in_millis)


@app.on_sqs_message(queue_arn="arn:aws:sqs:eu-west-2:000000000000:placeholder", batch_size=100)
def feedback(event: SQSEvent) -> dict[str, Any]:
    """What SES reports of e-mails is noted with them."""
    from chalicelib.handlers import events

    return events.take_feedback(event.to_dict())


@app.schedule("rate(1 minute)")
def sweeper(_event: Any) -> int:
    """E-mails whose time has come are tried again."""
    from chalicelib.handlers import events

    return events.sweep_outbox()


@app.on_dynamodb_record(
    stream_arn="arn:aws:dynamodb:eu-west-2:000000000000:table/messages/stream/placeholder", batch_size=100
)
def projector(event: DynamoDBEvent) -> dict[str, Any]:
    """Events of the outbox become compliance snapshots and counters."""
    from chalicelib.handlers import work

    return work.project_events(event.to_dict())


@app.on_sqs_message(queue_arn="arn:aws:sqs:eu-west-2:000000000000:placeholder", batch_size=1)
def worker(event: SQSEvent) -> dict[str, Any]:
    """Long work is done piece by piece."""
    from chalicelib.handlers import work

    context: Any = event.context
    return work.do_work(event.to_dict(), context.get_remaining_time_in_millis)


@app.on_sqs_message(queue_arn="arn:aws:sqs:eu-west-2:000000000000:placeholder", batch_size=10)
def feeder(event: SQSEvent) -> dict[str, Any]:
    """What the workforce system sends or drops becomes changes of people."""
    from chalicelib.handlers import feed

    return feed.take(event.to_dict())


@app.schedule("rate(5 minutes)")
def timekeeper(_event: Any) -> int:
    """What is due is put on the work queue."""
    from chalicelib.handlers import timers

    return timers.queue_what_is_due()
