"""Translates infra/template.yaml as AWS does when it creates the stack (AWS SAM to CloudFormation)."""

import logging
import os
import pathlib

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

# The translator counts its own use, which is of no interest here.
logging.getLogger("samtranslator.metrics.metrics").setLevel(logging.ERROR)

TEMPLATE = pathlib.Path(__file__).resolve().parents[1] / "template.yaml"
FUNCTION = "AWS::Serverless::Function"


class NoManagedPolicies:
    """The template uses no managed policies of AWS by name."""

    def load(self):
        return {}


def source(text: str | None = None) -> dict:
    """Returns the template as written."""
    return yaml_parse(text or TEMPLATE.read_text())


def functions(template: dict | None = None) -> list:
    """Returns the names of the functions: those of their binaries."""
    resources = (template or source())["Resources"].values()
    return [r["Metadata"]["BuildProperties"]["Binary"] for r in resources if r["Type"] == FUNCTION]


def translated(code_uri=lambda name: f"s3://artifacts/{name}.zip", text: str | None = None) -> dict:
    """Returns the CloudFormation template; `code_uri` says where the code of a function is."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    template = source(text)
    for resource in template["Resources"].values():
        if resource["Type"] == FUNCTION:
            # What the SAM CLI does when it builds and packages.
            metadata = resource.pop("Metadata")
            resource["Properties"]["CodeUri"] = code_uri(metadata["BuildProperties"]["Binary"])
    return transform(template, {}, NoManagedPolicies())
