"""The tables of the template as arguments of DynamoDB's CreateTable, so that tests never repeat a key schema."""

from __future__ import annotations

import functools
from typing import Any

from chalice.package import YAMLTemplateSerializer

from infrastructure import ROOT

AS_IN_THE_TEMPLATE = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")


def definitions(stack: str) -> list[dict[str, Any]]:
    """CreateTable arguments of every table of a stack, e.g. `esr-learning-dev-records`."""
    return [_arguments(properties, stack) for properties in _tables()]


@functools.cache
def _tables() -> list[dict[str, Any]]:
    text = (ROOT / "infrastructure" / "template.yaml").read_text()
    template = YAMLTemplateSerializer().load_template(text)
    return [r["Properties"] for r in template["Resources"].values() if r.get("Type") == "AWS::DynamoDB::Table"]


def _arguments(properties: dict[str, Any], stack: str) -> dict[str, Any]:
    arguments = {name: properties[name] for name in AS_IN_THE_TEMPLATE if name in properties}
    arguments["TableName"] = properties["TableName"]["Fn::Sub"].replace("${AWS::StackName}", stack)
    if "StreamSpecification" in properties:
        arguments["StreamSpecification"] = {"StreamEnabled": True, **properties["StreamSpecification"]}
    return arguments
