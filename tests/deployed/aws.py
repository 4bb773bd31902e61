"""Deploys a stack of its own into a real account, makes a few requests, audits the table, and removes everything.

Needs the SAM CLI, cargo-lambda and a profile of the AWS CLI that may create the stack. Costs less than a cent.
"""

import json
import os
import pathlib
import secrets
import subprocess
import urllib.error
import urllib.request

import boto3

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Account:
    """The account of a profile."""

    def __init__(self, profile: str, region: str | None):
        self.session = boto3.Session(profile_name=profile, region_name=region)
        self.profile, self.region = profile, self.session.region_name
        self.stack = f"scrip-smoke-{secrets.token_hex(4)}"

    def sam(self, *arguments):
        # Building Rust is a beta feature of older versions.
        environment = {**os.environ, "SAM_CLI_BETA_RUST_CARGO_LAMBDA": "1"}
        where = ["--profile", self.profile, "--region", self.region]
        subprocess.run(["sam", *arguments, *where], cwd=ROOT, check=True, env=environment)

    def deploy(self):
        self.sam("build", "--template", "infra/template.yaml")
        quota = self.session.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
        self.sam(
            "deploy", "--stack-name", self.stack, "--resolve-s3", "--no-confirm-changeset",
            "--capabilities", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM",
            "--parameter-overrides", "CreateUserPool=true", "LogDays=1",
            f"ReserveConcurrency={'true' if quota >= 103 else 'false'}",
        )

    def resources(self) -> dict:
        pages = self.session.client("cloudformation").get_paginator("list_stack_resources")
        listed = [r for page in pages.paginate(StackName=self.stack) for r in page["StackResourceSummaries"]]
        return {resource["LogicalResourceId"]: resource.get("PhysicalResourceId") for resource in listed}

    def remove(self, resources: dict):
        """Deletes the stack, and what its template keeps: a real deployment must not lose it, this one should."""
        tables, pools = self.session.client("dynamodb"), self.session.client("cognito-idp")
        if table := resources.get("Table"):
            tables.update_table(TableName=table, DeletionProtectionEnabled=False)
            tables.get_waiter("table_exists").wait(TableName=table)
        self.sam("delete", "--stack-name", self.stack, "--no-prompts")
        if table:
            tables.delete_table(TableName=table)
        if pool := resources.get("UserPool"):
            pools.update_user_pool(UserPoolId=pool, DeletionProtection="INACTIVE")
            pools.delete_user_pool(UserPoolId=pool)
        if secret := resources.get("SealKey"):
            manager = self.session.client("secretsmanager")
            manager.delete_secret(SecretId=secret, ForceDeleteWithoutRecovery=True)
        for key in ("DataKey", "CardKey"):
            if resources.get(key):
                self.session.client("kms").schedule_key_deletion(KeyId=resources[key], PendingWindowInDays=7)


def token(account: Account, resources: dict, role: str) -> str:
    """Creates a user with a role and returns its ID token."""
    pools = account.session.client("cognito-idp")
    pool, client = resources["UserPool"], resources["UserPoolClient"]
    name, password = f"{role}-{secrets.token_hex(4)}", f"Aa1!{secrets.token_urlsafe(24)}"
    pools.admin_create_user(
        UserPoolId=pool, Username=name, MessageAction="SUPPRESS",
        UserAttributes=[{"Name": "custom:role", "Value": role}],
    )
    pools.admin_set_user_password(UserPoolId=pool, Username=name, Password=password, Permanent=True)
    answer = pools.admin_initiate_auth(
        UserPoolId=pool, ClientId=client, AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": name, "PASSWORD": password},
    )
    return answer["AuthenticationResult"]["IdToken"]


def smoke(url: str, admin: str):
    """Makes the requests of the first minute, and expects their answers."""
    def call(method: str, path: str, body=None, key=None):
        headers = {"Authorization": f"Bearer {admin}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        data = json.dumps(body).encode() if body else None
        request = urllib.request.Request(url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def expect(status: int, answer):
        assert answer[0] == status, answer
        return answer[1]

    expect(200, call("GET", "/health"))
    owner = f"smoke-{secrets.token_hex(6)}"
    expect(201, call("POST", "/api/wallet/create", {"customer_id": owner, "initial_balance": 500}))
    debit = f"/api/wallet/{owner}/deduct-credits"
    first = expect(201, call("POST", debit, {"amount": 120.5}, "once"))
    assert expect(201, call("POST", debit, {"amount": 120.5}, "once")) == first
    assert expect(402, call("POST", debit, {"amount": 400}))["code"] == "insufficient_funds"
    assert expect(200, call("GET", f"/api/wallet/{owner}/balance"))["available"] == 379.5
    print("the requests are answered as they should be")


def audit(account: Account, table: str):
    """Audits the deployed table with the command line."""
    data = ROOT / "target/deployed/aws"
    given = account.session.get_credentials().get_frozen_credentials()
    environment = {
        **os.environ, "SCRIP_TABLE": table, "AWS_REGION": account.region,
        "AWS_ENDPOINT_URL_DYNAMODB": f"https://dynamodb.{account.region}.amazonaws.com",
        "AWS_ACCESS_KEY_ID": given.access_key, "AWS_SECRET_ACCESS_KEY": given.secret_key,
        "AWS_SESSION_TOKEN": given.token or "",
    }
    scrip = ["cargo", "run", "--locked", "--quiet", "--"]
    # The directory of a platform: the first token makes it.
    subprocess.run([*scrip, "token", "--role", "admin", "--data", data], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*scrip, "audit", "--data", data], cwd=ROOT, check=True, env=environment)


def run(profile: str, region: str | None):
    account = Account(profile, region)
    print(f"deploying {account.stack} into {account.region}")
    try:
        account.deploy()
        resources = account.resources()
        url = f"https://{resources['Api']}.execute-api.{account.region}.amazonaws.com"
        smoke(url, token(account, resources, "admin"))
        audit(account, resources["Table"])
    finally:
        account.remove(account.resources())
