"""Deploys the stack from infra/template.yaml, runs the end-to-end tests through its API, and removes it."""

import argparse
import base64
import hmac
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "infra/checks"))

import aws
import emulator as emulated
from issuer import Issuer
from recorder import Recorder
import planted
import rights
from translate import functions, translated

STACK = "scrip"
BUCKET = "artifacts"
# Here the tests serve the fake gateways and suppliers.
GATEWAYS = "127.0.0.1:4597"
# The values that the tests' fakes share with their merchant.
GATEWAY_SECRETS = {
    "razorpay_key_id": "rzp_test_local",
    "razorpay_key_secret": "razorpay-test",
    "razorpay_webhook_secrets": "razorpay-webhook-test",
    "stripe_secret_key": "sk_test_test",
    "stripe_webhook_secrets": "whsec_test",
    "paypal_client_id": "client-local",
    "paypal_client_secret": "paypal-test",
    "paypal_webhook_id": "WH-local",
}
SUPPLIER_SECRETS = {
    "reloadly_client_id": "client-local",
    "reloadly_client_secret": "reloadly-test",
    "reloadly_webhook_secrets": "reloadly-webhook-test",
    "tremendous_api_key": "tremendous-test",
    "tremendous_webhook_secrets": "tremendous-webhook-test",
}


def target() -> pathlib.Path:
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"


def packaged(names, folder: pathlib.Path) -> dict:
    """Builds the functions in the profile `dev`, whose dependencies the tests have built already, and zips them.

    Returns the zip file of each.
    """
    subprocess.run(["cargo", "build", "--locked", "--workspace", "--bins"], cwd=ROOT, check=True)
    zips = {}
    for name in names:
        bootstrap = folder / name / "bootstrap"
        bootstrap.parent.mkdir(parents=True)
        subprocess.run(["strip", "-o", bootstrap, target() / name], check=True)
        zips[name] = folder / f"{name}.zip"
        with zipfile.ZipFile(zips[name], "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.write(bootstrap, "bootstrap")
        shutil.rmtree(bootstrap.parent)
    return zips


def paypal_roots(data: pathlib.Path) -> str:
    """Makes the keys of a fake PayPal, as the platform does when it starts; returns the root certificate."""
    command = [target() / "scrip", "--memory", "--port", "0", "--data", data]
    platform = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        next(line for line in platform.stdout if line.startswith("ready:"))
    finally:
        platform.terminate()
        platform.communicate()
    certificates = (data / "paypal-certificates.pem").read_text()
    return certificates[certificates.rindex("-----BEGIN"):]


def parties(roots: str) -> dict:
    """Returns the variables that make the fakes the gateways and suppliers of the functions."""
    names = {
        "razorpay": ["RAZORPAY_BASE_URL"], "stripe": ["STRIPE_BASE_URL"], "paypal": ["PAYPAL_BASE_URL"],
        "reloadly": ["RELOADLY_BASE_URL", "RELOADLY_AUTH_URL"], "tremendous": ["TREMENDOUS_BASE_URL"],
    }
    urls = {
        f"SCRIP_{name}": f"http://{GATEWAYS}/_gateways/{party}" for party, all in names.items() for name in all
    }
    return {**urls, "SCRIP_PAYPAL_ROOTS": roots}


def resolver(template: dict, parameters: dict, resources: dict):
    """Returns a function that resolves the intrinsic functions of a translated template."""
    defaults = {name: declared.get("Default", "") for name, declared in template["Parameters"].items()}
    parameters = {**defaults, **parameters}
    pseudo = {
        "AWS::Region": emulated.REGION, "AWS::AccountId": emulated.ACCOUNT, "AWS::Partition": "aws",
        "AWS::StackName": STACK, "AWS::URLSuffix": "amazonaws.com",
    }

    def named(name: str):
        logical_id, _, attribute = name.partition(".")
        if attribute == "Arn":
            return f"arn:aws:lambda:{emulated.REGION}:{emulated.ACCOUNT}:function:{resources[logical_id]}"
        return pseudo.get(name, parameters[name] if name in parameters else resources.get(name))

    def resolve(value):
        if isinstance(value, str):
            return resources.get(value, value)
        (function, argument), = value.items()
        if function == "Ref":
            return named(argument)
        if function == "Fn::Sub":
            return re.sub(r"\$\{([^}]+)\}", lambda found: named(found.group(1)), argument)
        if function == "Fn::GetAtt":
            return named(".".join(argument))
        if function == "Fn::If":
            condition, then, otherwise = argument
            return resolve(then if resolve(template["Conditions"][condition]) else otherwise)
        if function == "Fn::Equals":
            return resolve(argument[0]) == resolve(argument[1])
        raise ValueError(f"cannot resolve {value}")

    return resolve


class Stack:
    """A stack in the emulator."""

    def __init__(self, cloud, template: dict):
        self.cloud, self.formation = cloud, cloud.client("cloudformation")
        self.body = json.dumps(template, separators=(",", ":"))
        cloud.client("s3").put_object(Bucket=BUCKET, Key="template.json", Body=self.body)

    def deploy(self, parameters: dict, update: bool = False):
        """Creates or updates the stack and waits for the end."""
        change = self.formation.update_stack if update else self.formation.create_stack
        change(
            StackName=STACK, TemplateURL=f"{self.cloud.url}/{BUCKET}/template.json",
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
        )
        deadline = time.monotonic() + 120
        while True:
            status = self.formation.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"]
            if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                return
            if not status.endswith("IN_PROGRESS") or time.monotonic() > deadline:
                events = self.formation.describe_stack_events(StackName=STACK)["StackEvents"]
                raise SystemExit(f"the stack is {status}: {[e for e in events if 'FAILED' in e['ResourceStatus']]}")
            time.sleep(0.1)

    def resources(self) -> dict:
        """Returns the physical id of each resource."""
        listed = self.formation.describe_stack_resources(StackName=STACK)["StackResources"]
        return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed}


def wrapped_key(cloud, key_id: str) -> str:
    """Returns a data key under the stack's key, wrapped, as docs/deploy.md says."""
    made = cloud.client("kms").generate_data_key_without_plaintext(
        KeyId=key_id, KeySpec="AES_256", EncryptionContext={"product": "scrip"},
    )
    return "kms:" + base64.b64encode(made["CiphertextBlob"]).decode()


def rotate(secrets, secret: str, api: str):
    """Changes a webhook secret and sees the functions take it up, without a deployment."""
    def webhook(key: str) -> int:
        body = b'{"event":"something.else"}'
        signature = hmac.new(key.encode(), body, "sha256").hexdigest()
        headers = {"X-Razorpay-Signature": signature, "X-Razorpay-Event-Id": f"rotation-{key}"}
        request = urllib.request.Request(f"{api}/api/integration/webhook/razorpay", body, headers)
        try:
            return urllib.request.urlopen(request).status
        except urllib.error.HTTPError as refused:
            return refused.code

    def put(keys: str):
        values = {**GATEWAY_SECRETS, "razorpay_webhook_secrets": keys}
        secrets.put_secret_value(SecretId=secret, SecretString=json.dumps(values))

    def answers(key: str, expected: int):
        deadline = time.monotonic() + 30
        while (status := webhook(key)) != expected:
            if time.monotonic() > deadline:
                raise SystemExit(f"a webhook with the secret {key} is answered {status} instead of {expected}")

    old = GATEWAY_SECRETS["razorpay_webhook_secrets"]
    answers(old, 200)
    answers("rotated", 401)
    put(f"rotated,{old}")
    answers("rotated", 200)
    answers(old, 200)
    put("rotated")
    answers(old, 401)
    put(old)
    answers(old, 200)


def on_the_emulator(folder: pathlib.Path):
    started = time.monotonic()
    say = lambda text: print(f"{time.monotonic() - started:5.0f} s  {text}", flush=True)
    names = functions()
    zips = packaged(names, folder)
    platform = folder / "platform"
    variables = parties(paypal_roots(platform))
    say(f"packaged {len(zips)} functions")
    cloud = emulated.Emulator(folder)
    try:
        cloud.start()
        issuer, recorder = Issuer(), Recorder(cloud.url)
        storage = cloud.client("s3")
        storage.create_bucket(Bucket=BUCKET)
        for name, file in zips.items():
            storage.upload_file(str(file), BUCKET, f"{name}.zip")
        template = translated(lambda name: f"s3://{BUCKET}/{name}.zip")
        added = lambda function: {**recorder.endpoints(name_of(function)), **variables}
        template = emulated.fitted(template, added)
        stack = Stack(cloud, template)
        parameters = {"JwtIssuer": issuer.url, "JwtAudience": issuer.AUDIENCE, "SecretsSeconds": "1"}
        stack.deploy(parameters)
        resources = stack.resources()
        say(f"created {len(resources)} resources; the template has {len(stack.body)} bytes")
        parameters["CardKeys"] = "k1:" + wrapped_key(cloud, resources["CardKey"])
        parameters["CodeKey"] = wrapped_key(cloud, resources["CardKey"])
        stack.deploy(parameters, update=True)
        secrets = cloud.client("secretsmanager")
        for secret, values in [("GatewaySecrets", GATEWAY_SECRETS), ("SupplierSecrets", SUPPLIER_SECRETS)]:
            secrets.put_secret_value(SecretId=resources[secret], SecretString=json.dumps(values))
        api = emulated.import_routes(cloud, template, resolver(template, parameters, resources))
        issuer.schedules = emulated.Schedules(cloud)
        say("deployed")
        environment = {
            **os.environ,
            "SCRIP_TEST_API": emulated.api_url(cloud, api),
            "SCRIP_TEST_ISSUER": issuer.url,
            "SCRIP_TEST_SCHEDULES": f"{issuer.url}/schedules",
            "SCRIP_TEST_TABLE": resources["Table"],
            "SCRIP_TEST_DYNAMODB_ENDPOINT": cloud.url,
            "SCRIP_TEST_GATEWAYS": GATEWAYS,
            "SCRIP_TEST_PLATFORM": str(platform),
        }
        rotate(secrets, resources["GatewaySecrets"], environment["SCRIP_TEST_API"])
        say("rotated a secret")
        # One at a time: each ends with the audit of the whole table, which all of them share.
        command = ["cargo", "test", "--locked", "-p", "tests", "--test", "scrip", "--", "deployed::", "--test-threads=1"]
        failed = subprocess.run(command, cwd=ROOT, env=environment).returncode
        say("tested")
        if failed or recorder.unknown:
            raise SystemExit(f"failed; not recorded: {recorder.unknown}")
        compare_rights(recorder.uses)
        say("done")
    finally:
        cloud.stop()


def compare_rights(deployed):
    """Compares the rights of the functions with what they asked for, here and in all other tests."""
    record = ROOT / "target/uses.jsonl"
    if not record.exists():
        print(f"rights are not compared: there is no record of the other tests (SCRIP_TEST_USES={record} cargo test)")
        return
    uses = [*deployed, *rights.read(record)]
    found = rights.findings(uses, translated())
    missed = planted.rights_mistakes(uses)
    print(f"{len(uses)} uses compared with the rights of the functions")
    if found or missed:
        raise SystemExit("\n".join([*found, *(f"planted, but not found: {name}" for name in missed)]))


def name_of(function_name) -> str:
    """Returns `wallet` for the function's name in the template, `${AWS::StackName}-wallet`."""
    text = function_name["Fn::Sub"] if isinstance(function_name, dict) else function_name
    return text.split("}-", 1)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aws", action="store_true", help="deploy into a real account, and make a few requests only")
    parser.add_argument("--profile", help="profile of the AWS CLI, with --aws")
    parser.add_argument("--region", help="region, with --aws; otherwise that of the profile")
    wanted = parser.parse_args()
    if wanted.aws:
        if not wanted.profile:
            parser.error("--aws needs --profile")
        return aws.run(wanted.profile, wanted.region)
    work = ROOT / "target/deployed/work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    on_the_emulator(work)
    return None


if __name__ == "__main__":
    main()
