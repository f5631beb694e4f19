"""The deployment artefact itself: packaged, deployed to a private emulator that enforces IAM, with nothing in between."""

import json
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import urllib3
from aiosmtpd.controller import Controller

from infrastructure import ROOT
from infrastructure.local import deploy, emulator, processes
from infrastructure.local.desk.mailbox import Mailbox, Sink
from infrastructure.package import package

STACK = "esr-learning-test"
SENDER = "learning@trust.invalid"
PASSWORD = "only used in this test"
FUNCTIONS = ("api", "relay", "mailer", "feedback", "sweeper", "projector", "worker", "feeder", "timekeeper")


def pytest_collection_modifyitems(items):
    """All of these in one worker (`--dist loadgroup`): they share one deployed stack."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("artefact"))


@pytest.fixture(scope="session")
def artefact():
    return package("dev")


@pytest.fixture(scope="session")
def template(artefact):
    return artefact.template_body()


@pytest.fixture(scope="session")
def unzipped(artefact, tmp_path_factory):
    """The zip as Lambda unpacks it."""
    folder = tmp_path_factory.mktemp("task")
    with zipfile.ZipFile(artefact.zip) as archive:
        archive.extractall(folder)
    return folder


def lambda_python(code: str, task: Path, environment: dict[str, str] | None = None) -> str:
    """What a fresh Python prints that sees the zip's packages and no others. `code` runs after sys.path is set."""
    bare = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-c"]
    prelude = f"import sys; sys.path.insert(0, {str(task)!r})\n"
    given = {"AWS_DEFAULT_REGION": "eu-west-2", "AWS_REGION": "eu-west-2", **(environment or {})}
    done = subprocess.run([*bare, prelude + code], env=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Stack:
    """The deployed stack and what the probes do with it."""

    def __init__(self, running, deployment, mailbox):
        self.emulator = running
        self.mailbox = mailbox
        self.deployment = deployment
        self.outputs = deployment.outputs
        self.http = urllib3.PoolManager(retries=False)
        self.schedule_asked_at = time.monotonic()

    def client(self, service, **credentials):
        return self.emulator.client(service, **credentials)

    def as_function(self, service, function):
        """A client with the credentials that a function runs under."""
        role = self.client("lambda").get_function_configuration(FunctionName=f"{STACK}-{function}")["Role"]
        given = self.client("sts").assume_role(RoleArn=role, RoleSessionName="probe")["Credentials"]
        return self.client(
            service,
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )

    def call(self, method, path, token=None, body=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.http.request(method, self.deployment.api_url + path, headers=headers, json=body)

    def mails(self, subject):
        """What SES sent and relayed to the mailbox, whose subject holds these words."""
        return [mail for mail in self.mailbox.mails(self.mailbox.names()) if subject in mail.header("Subject")]

    def received(self, queue_url):
        """Messages of a queue, taken out of it."""
        answer = self.client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in answer.get("Messages", [])]


@pytest.fixture(scope="session")
def smtp(tmp_path_factory):
    """A mailbox that takes mail; the port that it listens on."""
    folder = tmp_path_factory.mktemp("mail")
    controller = Controller(Sink(folder), "127.0.0.1", processes.free_port())
    controller.start()
    yield Mailbox(folder), controller.port
    controller.stop()


@pytest.fixture(scope="session")
def stack(artefact, smtp):
    """The artefact, deployed, with one trust, one class and one learner who can sign in."""
    parameters = {
        "MailSender": SENDER,
        "FirstAdministrator": "first.administrator",
        "PortalUrl": "https://portal.test",
        "CursorSecret": "a secret of the tests, long enough",
    }
    mailbox, smtp_port = smtp
    with emulator.private(enforce_iam=True, smtp_port=smtp_port) as running:
        deployment = deploy.deploy(running, artefact, STACK, parameters | {"CognitoEndpoint": running.endpoint})
        stack = Stack(running, deployment, mailbox)
        # Probes cannot wait five minutes for the schedule, nor three for a queue's next attempt.
        for rule in stack.client("events").list_rules()["Rules"]:
            stack.client("events").put_rule(Name=rule["Name"], ScheduleExpression="rate(1 minute)")
        every_minute(stack, f"{STACK}-day")
        for queue in ("MailQueueUrl", "FeedbackQueueUrl", "WorkQueueUrl", "WorkforceQueueUrl"):
            stack.client("sqs").set_queue_attributes(
                QueueUrl=stack.outputs[queue], Attributes={"VisibilityTimeout": "1"}
            )
        let_the_mailer_send(stack)
        let_batches_be_queued(stack)
        let_buckets_be_reached(stack)
        yield stack
        stack.http.clear()  # the emulator waits for open connections before it ends


def every_minute(stack, name):
    scheduler = stack.client("scheduler")
    kept = scheduler.get_schedule(Name=name)
    same = {each: kept[each] for each in ("Name", "Target", "FlexibleTimeWindow")}
    scheduler.update_schedule(**same, ScheduleExpression="rate(1 minute)")


def let_the_mailer_send(stack):
    """The emulator asks whether the mailer may send as anybody, where AWS asks for the identity that the policy names."""
    also_allow(stack, "mailer", ["ses:SendEmail", "ses:SendRawEmail"], "*")


def let_batches_be_queued(stack):
    """The emulator knows a permission of its own to send in batches, where AWS asks for sqs:SendMessage."""
    for function, queue in (
        ("relay", "mail"),
        ("sweeper", "mail"),
        ("projector", "work"),
        ("worker", "work"),
        ("timekeeper", "work"),
    ):
        also_allow(
            stack, function, ["sqs:SendMessageBatch"], f"arn:aws:sqs:eu-west-2:{emulator.ACCOUNT}:{STACK}-{queue}"
        )


def also_allow(stack, function, actions, resource):
    role = stack.client("lambda").get_function_configuration(FunctionName=f"{STACK}-{function}")["Role"].split("/")[-1]
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    stack.client("iam").put_role_policy(RoleName=role, PolicyName="emulator", PolicyDocument=policy)


def let_buckets_be_reached(stack):
    """The emulator speaks plain HTTP, which the buckets' policies refuse to everybody."""
    for output in ("WorkforceBucket", "FilesBucket"):
        stack.client("s3").delete_bucket_policy(Bucket=stack.outputs[output])


@pytest.fixture(scope="session")
def logins(stack):
    """The logins of a learner and of an administrator of a small trust."""
    environment = stack.emulator.environment | stack.deployment.environment()
    seeded = subprocess.run(
        [sys.executable, "-m", "tests.artefact.seed"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert seeded.returncode == 0, seeded.stderr
    return seeded.stdout.split()


@pytest.fixture(scope="session")
def learner(stack, logins):
    """The access token of the learner."""
    return signed_in(stack, logins[0])


@pytest.fixture(scope="session")
def administrator(stack, logins):
    """The access token of the administrator."""
    return signed_in(stack, logins[1])


def signed_in(stack, login):
    cognito = stack.client("cognito-idp")
    who = {"UserPoolId": stack.outputs["UserPoolId"], "Username": login}
    cognito.admin_create_user(**who, TemporaryPassword=PASSWORD, MessageAction="SUPPRESS")
    cognito.admin_set_user_password(**who, Password=PASSWORD, Permanent=True)
    answer = stack.call("POST", "/v1/sign-in", body={"login": login, "password": PASSWORD})
    assert answer.status == 200, answer.data
    return answer.json()["access_token"]


def eventually(what, seconds):
    """The first true value of `what()`, waiting at most so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.2)
    return what()
