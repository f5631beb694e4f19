"""Deploy an artefact to the emulator through CloudFormation, as a pipeline would deploy it to AWS."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from infrastructure import REGION, Failure
from infrastructure.local.emulator import Emulator
from infrastructure.package import Artefact

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
DIGEST_TAG = "artefact"


class DeploymentFailed(Failure):
    """CloudFormation refused the stack or rolled it back."""


@dataclass(frozen=True)
class Function:
    """A deployed Lambda function: where its code starts and what it is told."""

    handler: str
    environment: dict[str, str]


@dataclass(frozen=True)
class Deployment:
    """A deployed stack: its outputs and its functions by name."""

    stack: str
    outputs: dict[str, str]
    functions: dict[str, Function]
    created: bool
    changed: bool
    endpoint: str

    @property
    def api_url(self) -> str:
        """Where the API's stage answers on the emulator; a path such as /v1/health follows."""
        return f"{self.endpoint}/_aws/execute-api/{self.outputs['RestAPIId']}/api"

    def environment(self) -> dict[str, str]:
        """What the functions are told, all of them together: for processes that do the work of several."""
        return {name: value for function in self.functions.values() for name, value in function.environment.items()}


def deploy(emulator: Emulator, artefact: Artefact, stack: str, parameters: Mapping[str, str]) -> Deployment:
    """Create or update the stack, unless exactly this artefact with these parameters is deployed already."""
    try:
        return _deploy(emulator, artefact, stack, parameters)
    except (BotoCoreError, ClientError) as error:
        raise DeploymentFailed(f"The deployment failed: {error}") from error


def _deploy(emulator: Emulator, artefact: Artefact, stack: str, parameters: Mapping[str, str]) -> Deployment:
    cloudformation = emulator.client("cloudformation")
    digest = hashlib.sha256(json.dumps([artefact.digest, sorted(parameters.items())]).encode()).hexdigest()
    present = _describe(cloudformation, stack)
    changed = present is None or _tag(present) != digest
    if changed:
        change = cloudformation.update_stack if present else cloudformation.create_stack
        change(
            StackName=stack,
            TemplateURL=_upload(emulator, artefact),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=CAPABILITIES,
            Tags=[{"Key": DIGEST_TAG, "Value": digest}],
        )
        _wait(cloudformation, stack)
    return deployed(emulator, stack, created=present is None, changed=changed)


def deployed(emulator: Emulator, stack: str, created: bool = False, changed: bool = False) -> Deployment:
    """A stack as it stands; without outputs if there is none."""
    found = _describe(emulator.client("cloudformation"), stack) or {}
    return Deployment(
        stack=stack,
        outputs={output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])},
        functions=_functions(emulator, stack),
        created=created,
        changed=changed,
        endpoint=emulator.endpoint,
    )


def function_names(artefact: Artefact, stack: str) -> list[str]:
    """The names that the artefact's functions have once deployed."""
    resources: Any = artefact.template_body()["Resources"]
    functions = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Serverless::Function"]
    return [properties["FunctionName"]["Fn::Sub"].replace("${AWS::StackName}", stack) for properties in functions]


def _upload(emulator: Emulator, artefact: Artefact) -> str:
    """Put zip and template into a bucket, as `aws cloudformation package` does; the address of the template."""
    s3 = emulator.client("s3")
    bucket, zip_key, template_key = "artefacts", f"{artefact.digest}.zip", f"{artefact.digest}.json"
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key=zip_key, Body=artefact.zip.read_bytes())
    template: Any = artefact.template_body()
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": bucket, "Key": zip_key}
        if resource["Type"] == "AWS::Serverless::Api":
            # The emulator reads the property, and unescaped; AWS takes it from the definition.
            binary = resource["Properties"]["DefinitionBody"]["x-amazon-apigateway-binary-media-types"]
            resource["Properties"]["BinaryMediaTypes"] = binary
    s3.put_object(Bucket=bucket, Key=template_key, Body=json.dumps(template).encode())
    return f"{emulator.endpoint}/{bucket}/{template_key}"


def _describe(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    try:
        return dict(cloudformation.describe_stacks(StackName=stack)["Stacks"][0])
    except cloudformation.exceptions.ClientError:
        return None


def _tag(stack: dict[str, Any]) -> str | None:
    return next((tag["Value"] for tag in stack.get("Tags", []) if tag["Key"] == DIGEST_TAG), None)


def _wait(cloudformation: Any, stack: str, patience: float = 120) -> None:
    deadline = time.monotonic() + patience
    status = ""
    while time.monotonic() < deadline:
        status = (_describe(cloudformation, stack) or {}).get("StackStatus", "missing")
        if not status.endswith("IN_PROGRESS"):
            break
        time.sleep(0.2)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
        raise DeploymentFailed(f"The deployment failed: {_first_failure(cloudformation, stack) or status}")


def _first_failure(cloudformation: Any, stack: str) -> str | None:
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failures = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    if not failures:
        return None
    first = failures[-1]  # events come newest first
    return f"{first['LogicalResourceId']}: {first.get('ResourceStatusReason', first['ResourceStatus'])}"


def _functions(emulator: Emulator, stack: str) -> dict[str, Function]:
    pages = emulator.client("lambda").get_paginator("list_functions").paginate()
    found = [function for page in pages for function in page["Functions"]]
    return {
        function["FunctionName"]: Function(function["Handler"], function["Environment"]["Variables"])
        for function in found
        if function["FunctionName"].startswith(f"{stack}-")
    }
