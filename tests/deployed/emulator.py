"""An AWS emulator on loopback (ministack), and everything in which it differs from AWS.

Each difference has one function here, and its docstring says what AWS does. Nothing else in these tests
knows that it is not AWS.
"""

import copy
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.request

import boto3
import botocore.config

ACCOUNT = "000000000000"
REGION = "us-east-1"
PORT = 4598


class Emulator:
    """The emulator's process, from `start` to `stop`."""

    def __init__(self, folder: pathlib.Path):
        self.url = f"http://127.0.0.1:{PORT}"
        self.log = folder / "emulator.log"
        self.process = None

    def start(self):
        state = self.log.parent
        environment = {
            **os.environ,
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(PORT),
            # Runs functions of `provided.al2023` as processes of this machine.
            "LAMBDA_EXECUTOR": "local",
            "TMPDIR": str(state),
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
        }
        log = self.log.open("wb")
        program = pathlib.Path(sys.executable).with_name("ministack")
        self.process = subprocess.Popen([program], env=environment, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 60
        while True:
            try:
                return urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=5).read()
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the emulator does not start:\n{self.log.read_text()[-2000:]}")
                time.sleep(0.1)

    def stop(self):
        if self.process and self.process.poll() is None:
            # The functions are its children and end with its group.
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)

    def client(self, service: str):
        config = botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=120)
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, config=config,
            aws_access_key_id=ACCOUNT, aws_secret_access_key="test",
        )


def fitted(template: dict, endpoints) -> dict:
    """Returns the translated template as the emulator can create it."""
    template = copy.deepcopy(template)
    without_metric_math(template)
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Lambda::Function":
            runs_here(properties)
            reaches_the_emulator(properties, endpoints(properties["FunctionName"]))
        if resource["Type"] == "AWS::SecretsManager::Secret":
            secrets_without_punctuation(properties)
        # Nothing of the stack outlives the test.
        resource.pop("DeletionPolicy", None)
        resource.pop("UpdateReplacePolicy", None)
        if resource["Type"] == "AWS::DynamoDB::Table":
            properties["DeletionProtectionEnabled"] = False
    return template


def without_metric_math(template: dict):
    """CloudWatch has alarms on expressions of several metrics; the emulator has those on one metric only."""
    resources = template["Resources"]
    for name in [name for name, resource in resources.items() if resource["Type"] == "AWS::CloudWatch::Alarm"]:
        if "Metrics" in resources[name]["Properties"]:
            del resources[name]


def runs_here(function: dict):
    """AWS has machines of either architecture; the emulator runs functions on this machine."""
    function["Architectures"] = ["x86_64"]


def reaches_the_emulator(function: dict, endpoints: dict):
    """In AWS the SDK knows the address of each service. Certificates are not used on loopback."""
    variables = function.setdefault("Environment", {}).setdefault("Variables", {})
    variables.update(endpoints)
    variables.pop("SSL_CERT_FILE", None)


def secrets_without_punctuation(secret: dict):
    """AWS leaves punctuation out of a generated secret if the template says so; the emulator ignores that."""
    generated = secret.get("GenerateSecretString", {})
    if generated.get("ExcludePunctuation"):
        generated["ExcludeCharacters"] = "".join(chr(c) for c in range(33, 127) if not chr(c).isalnum())


def import_routes(emulator: Emulator, template: dict, resolve) -> str:
    """AWS imports an HTTP API's OpenAPI `Body`; the emulator creates the API without routes.

    Creates the authorizer, an integration for each function and the routes. Returns the API's id.
    """
    gateway = emulator.client("apigatewayv2")
    apis = [
        (name, resource) for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::ApiGatewayV2::Api"
    ]
    (logical_id, api), = apis
    api_id = resolve(logical_id)
    body = api["Properties"]["Body"]
    authorizers = {}
    for name, scheme in body.get("components", {}).get("securitySchemes", {}).items():
        declared = scheme["x-amazon-apigateway-authorizer"]
        jwt = declared["jwtConfiguration"]
        created = gateway.create_authorizer(
            ApiId=api_id, Name=name, AuthorizerType="JWT", IdentitySource=[declared["identitySource"]],
            JwtConfiguration={"Issuer": resolve(jwt["issuer"]), "Audience": [resolve(a) for a in jwt["audience"]]},
        )
        authorizers[name] = created["AuthorizerId"]
    integrations = {}
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            declared = operation["x-amazon-apigateway-integration"]
            uri = resolve(declared["uri"])
            if uri not in integrations:
                created = gateway.create_integration(
                    ApiId=api_id, IntegrationType="AWS_PROXY", IntegrationUri=uri,
                    PayloadFormatVersion=declared["payloadFormatVersion"],
                )
                integrations[uri] = created["IntegrationId"]
            verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            security = [name for entry in operation.get("security", []) for name in entry if name in authorizers]
            secured = {"AuthorizationType": "JWT", "AuthorizerId": authorizers[security[0]]} if security else {}
            gateway.create_route(
                ApiId=api_id, RouteKey=f"{verb} {path}", Target=f"integrations/{integrations[uri]}", **secured,
            )
    return api_id


class Schedules:
    """AWS's Scheduler invokes a function at its times; here it is invoked now, with the input of its schedule."""

    def __init__(self, emulator: Emulator):
        self.scheduler, self.functions = emulator.client("scheduler"), emulator.client("lambda")

    def run(self, function: str, event: bytes = b"") -> bytes:
        """Invokes a function with an event, or with the input of its schedule."""
        if event:
            listed = self.functions.list_functions()["Functions"]
            names = [one["FunctionName"] for one in listed if one["FunctionName"].endswith(f"-{function}")]
            return self.invoke(names[0], event)
        listed = self.scheduler.list_schedules()["Schedules"]
        for schedule in listed:
            found = self.scheduler.get_schedule(Name=schedule["Name"], GroupName=schedule["GroupName"])["Target"]
            if found["Arn"].endswith(f"-{function}"):
                return self.invoke(found["Arn"], found["Input"].encode())
        raise KeyError(f"no schedule invokes {function}")

    def invoke(self, function: str, event: bytes) -> bytes:
        answer = self.functions.invoke(FunctionName=function, Payload=event)
        payload = answer["Payload"].read()
        if "FunctionError" in answer:
            raise RuntimeError(payload.decode())
        return payload


def api_url(emulator: Emulator, api_id: str) -> str:
    """AWS gives an API a host of its own; the emulator also serves it below this path."""
    return f"{emulator.url}/_aws/execute-api/{api_id}/$default"
