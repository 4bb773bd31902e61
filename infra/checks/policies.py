"""Rules of our own for the template, beyond those of cfn-lint and checkov.

Each rule yields what is wrong, as text. `source` is the template as written, `translated` as AWS creates it.
"""

import fnmatch
import json
import pathlib
import re

from translate import FUNCTION, functions

ROOT = pathlib.Path(__file__).resolve().parents[2]
WRITES = {"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem"}
# What a function may do to entries (`E#…`) besides putting them, each with the reason.
ENTRY_CHANGES = {
    # Marks the key of a cause at which no entry is yet. Its statement permits no attribute of an entry.
    "Fence",
}
# Accounts and what is counted beside them change outside transactions only here.
OUTSIDE_TRANSACTIONS = {
    "A#b:*": "a slice of a budget: a spend reserves credit by one update and settles later",
    "A#p:*": "the sweep postpones points that it could not settle",
    "A#w:*": "the sweep postpones a wallet that it could not settle",
}
# Who reads the whole table, and what for.
SCANS = [
    ("MoveBooksRole", ["dynamodb:Scan"]),  # exports of what is in it
]
OPEN_ROUTES = {
    ("GET", "/health"), ("GET", "/api/wallet/health"), ("GET", "/api/integration/health"),
    ("GET", "/api/loyalty/health"),
    ("POST", "/api/integration/webhook/razorpay"), ("POST", "/api/integration/webhook/stripe"),
    ("POST", "/api/integration/webhook/paypal"), ("POST", "/api/integration/webhook/google-pay"),
    ("POST", "/api/gift-cards/webhook/reloadly"), ("POST", "/api/gift-cards/webhook/tremendous"),
    ("POST", "/api/gift-cards/redeem"),
}
# Variables that the code reads and the template does not set, each with the reason.
NOT_SET = {
    "SCRIP_CURSOR_KEY": "a field of the secret CursorKey",
    "SCRIP_SEAL_KEYS": "fields of the secret SealKey",
    "SCRIP_SEAL_KEY_ID": "a field of the secret SealKey",
    "SCRIP_SEAL_KEY": "a field of the secret SealKey",
    "SCRIP_OLDER_SEAL_KEYS": "a field of the secret SealKey",
    "SCRIP_RAZORPAY_KEY_ID": "a field of GatewaySecrets",
    "SCRIP_RAZORPAY_KEY_SECRET": "a field of GatewaySecrets",
    "SCRIP_RAZORPAY_WEBHOOK_SECRETS": "a field of GatewaySecrets",
    "SCRIP_STRIPE_SECRET_KEY": "a field of GatewaySecrets",
    "SCRIP_STRIPE_WEBHOOK_SECRETS": "a field of GatewaySecrets",
    "SCRIP_PAYPAL_CLIENT_ID": "a field of GatewaySecrets",
    "SCRIP_PAYPAL_CLIENT_SECRET": "a field of GatewaySecrets",
    "SCRIP_PAYPAL_WEBHOOK_ID": "a field of GatewaySecrets",
    "SCRIP_GOOGLE_PAY_RECIPIENT_ID": "a field of GatewaySecrets",
    "SCRIP_GOOGLE_PAY_ROOT_KEYS": "a field of GatewaySecrets",
    "SCRIP_RELOADLY_CLIENT_ID": "a field of SupplierSecrets",
    "SCRIP_RELOADLY_CLIENT_SECRET": "a field of SupplierSecrets",
    "SCRIP_RELOADLY_WEBHOOK_SECRETS": "a field of SupplierSecrets",
    "SCRIP_RELOADLY_SENDER": "a field of SupplierSecrets",
    "SCRIP_TREMENDOUS_API_KEY": "a field of SupplierSecrets",
    "SCRIP_TREMENDOUS_WEBHOOK_SECRETS": "a field of SupplierSecrets",
    "SCRIP_TREMENDOUS_FUNDING_SOURCE": "a field of SupplierSecrets",
    "SCRIP_RAZORPAY_BASE_URL": "there is one; only tests use another",
    "SCRIP_STRIPE_BASE_URL": "there is one; only tests use another",
    "SCRIP_RELOADLY_AUTH_URL": "there is one; only tests use another",
    "SCRIP_PAYPAL_ROOTS": "the machine's certificates; only tests trust others",
}


def listed(value):
    return value if isinstance(value, list) else [value]


def of_type(translated, kind):
    return {name: r for name, r in translated["Resources"].items() if r["Type"] == kind}


def statements(translated):
    """Yields the role or policy, and each of its statements."""
    for name, role in of_type(translated, "AWS::IAM::Role").items():
        for policy in role["Properties"].get("Policies", []):
            for statement in listed(policy["PolicyDocument"]["Statement"]):
                yield name, statement
    for name, policy in of_type(translated, "AWS::IAM::ManagedPolicy").items():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            yield name, statement


def leading_keys(statement):
    keys = []
    for operator, conditions in statement.get("Condition", {}).items():
        if operator.startswith("ForAllValues:String"):
            keys += listed(conditions.get("dynamodb:LeadingKeys", []))
    return keys


def is_enclosed(statement):
    equals = statement.get("Condition", {}).get("StringEquals", {})
    return equals.get("dynamodb:EnclosingOperation") == "TransactWriteItems"


def no_wildcards(source, translated):
    for name, statement in statements(translated):
        for field in ("Action", "Resource"):
            for value in listed(statement[field]):
                # An object's name is known at run time; its folder is not left open.
                folder = re.sub(r"\$\{Files\.Arn\}/(uploads|exports)/\*", "", json.dumps(value))
                if "*" in folder:
                    yield f"{name}: {field} {value}"
        if statement["Effect"] != "Allow" or "NotAction" in statement or "NotResource" in statement:
            yield f"{name}: only plain permissions are expected: {statement.get('Sid')}"


def rights_by_leading_key(source, translated):
    for name, statement in statements(translated):
        if not any(action.startswith("dynamodb:") for action in listed(statement["Action"])):
            continue
        if (name, listed(statement["Action"])) in SCANS:
            continue
        keys, null = leading_keys(statement), statement.get("Condition", {}).get("Null", {})
        if not keys or any(not re.match(r"^(?:[A-Z]{1,2}#|[AE]#[a-z]:|L#[a-z]+:?|D#)", key) for key in keys):
            yield f"{name}: {statement.get('Sid')} is not bound to leading keys: {keys}"
        # Without this, a request without keys (a Scan) would satisfy the condition.
        if str(null.get("dynamodb:LeadingKeys", "")).lower() != "false":
            yield f"{name}: {statement.get('Sid')} permits requests without a leading key"


def entries_are_immutable(source, translated):
    for name, statement in statements(translated):
        actions, keys = set(listed(statement["Action"])), leading_keys(statement)
        if not any(fnmatch.fnmatch(key, "E#*") for key in keys) or not actions & WRITES:
            continue
        sid = statement.get("Sid")
        if "dynamodb:DeleteItem" in actions:
            yield f"{name}: {sid} deletes entries"
        if "dynamodb:UpdateItem" in actions and sid in ENTRY_CHANGES:
            attributes = statement["Condition"].get("ForAllValues:StringEquals", {}).get("dynamodb:Attributes")
            if set(attributes or []) - {"pk", "sk", "state", "attempt", "fenced"} or not attributes:
                yield f"{name}: {sid} changes attributes of entries"
        elif "dynamodb:UpdateItem" in actions:
            yield f"{name}: {sid} updates entries"
        if "dynamodb:PutItem" in actions and not is_enclosed(statement):
            yield f"{name}: {sid} puts entries outside a transaction"


def value_moves_in_transactions(source, translated):
    for name, statement in statements(translated):
        if is_enclosed(statement) or not set(listed(statement["Action"])) & WRITES:
            continue
        for key in leading_keys(statement):
            known = key in OUTSIDE_TRANSACTIONS and (key not in ("A#p:*", "A#w:*") or name in ("EvaluateTiersRole", "ExpireCreditsRole"))
            if key.startswith("A#") and not known:
                yield f"{name}: {statement.get('Sid')} changes {key} outside a transaction"


def functions_are_bounded(source, translated):
    for name, function in of_type(translated, "AWS::Lambda::Function").items():
        properties = function["Properties"]
        if properties["Runtime"] != "provided.al2023" or properties["Architectures"] != ["arm64"]:
            yield f"{name}: runtime or architecture"
        # A request is retried for 8 s, and its last attempt takes up to 3 s.
        if properties["Timeout"] < 12:
            yield f"{name}: the time limit is shorter than the time of retries"
        if "LogGroup" not in properties.get("LoggingConfig", {}):
            yield f"{name}: logs are kept for ever"
        reserved = {"Fn::If": ["Reserve", 1, {"Ref": "AWS::NoValue"}]}
        if name in scheduled(source) and properties.get("ReservedConcurrentExecutions") != reserved:
            yield f"{name}: two runs may overlap"


def scheduled(source):
    return {
        name for name, resource in source["Resources"].items() if resource["Type"] == FUNCTION
        and any(event["Type"].startswith("Schedule") for event in resource["Properties"]["Events"].values())
    }


def schedules_fail_loudly(source, translated):
    for name in scheduled(source):
        for event in source["Resources"][name]["Properties"]["Events"].values():
            if event["Type"] != "ScheduleV2":
                yield f"{name}: the schedule is not one of EventBridge Scheduler"
            if event["Properties"].get("RetryPolicy", {}).get("MaximumRetryAttempts", 0) < 1:
                yield f"{name}: the schedule is not retried"
            expression = event["Properties"].get("ScheduleExpression", "")
            if not re.fullmatch(r"rate\([1-9][0-9]* (?:minutes?|hours?|days?)\)|cron\((?:\S+ ){5}\S+\)", expression):
                yield f"{name}: {expression!r} is no schedule"
            if event["Properties"].get("State", "ENABLED") != "ENABLED":
                yield f"{name}: the schedule is off"
            if not event["Properties"].get("OmitName"):
                yield f"{name}: two stacks would have schedules of one name"
            if not event["Properties"].get("DeadLetterConfig"):
                yield f"{name}: the schedule has no dead-letter queue"
        invoked = source["Resources"][name]["Properties"].get("EventInvokeConfig", {})
        if not invoked.get("DestinationConfig", {}).get("OnFailure"):
            yield f"{name}: failed runs go nowhere"
    for name, queue in of_type(translated, "AWS::SQS::Queue").items():
        if queue["Properties"].get("MessageRetentionPeriod", 0) < 1209600:
            yield f"{name}: dead letters are lost before anybody has seen them"


def no_secret_in_a_template(source, translated):
    text = json.dumps(translated)
    if "{{resolve:" in text:
        yield "a secret is resolved into the template or an environment"
    for name, secret in of_type(translated, "AWS::SecretsManager::Secret").items():
        value = secret["Properties"].get("SecretString")
        if value and any(json.loads(value).values()):
            yield f"{name}: a value is in the template"
        if not value and "GenerateSecretString" not in secret["Properties"]:
            yield f"{name}: has no value"
        if "KmsKeyId" not in secret["Properties"]:
            yield f"{name}: is not under the stack's key"


def the_table_survives(source, translated):
    (name, table), = of_type(translated, "AWS::DynamoDB::Table").items()
    properties = table["Properties"]
    if not properties.get("DeletionProtectionEnabled"):
        yield "the table can be deleted"
    if not properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled"):
        yield "the table cannot be recovered"
    if properties.get("SSESpecification", {}).get("SSEType") != "KMS":
        yield "the table is not under the stack's key"
    kept = {name: table, **of_type(translated, "AWS::KMS::Key")}
    kept["SealKey"] = translated["Resources"]["SealKey"]
    for name, resource in kept.items():
        kept_on = resource.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate")
        if not kept_on or resource.get("UpdateReplacePolicy") != "Retain":
            yield f"{name}: is deleted with the stack"
    for name, key in of_type(translated, "AWS::KMS::Key").items():
        if not key["Properties"].get("EnableKeyRotation"):
            yield f"{name}: does not rotate"


def routes(translated):
    (_, api), = of_type(translated, "AWS::ApiGatewayV2::Api").items()
    for path, methods in api["Properties"]["Body"]["paths"].items():
        for method, operation in methods.items():
            verb = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            uri = operation["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
            secured = any("Jwt" in entry for entry in operation.get("security", []))
            yield verb, path, re.search(r"\$\{(\w+)\.Arn\}", uri).group(1), secured


def only_known_routes_are_open(source, translated):
    found = {(verb, path) for verb, path, _, secured in routes(translated) if not secured}
    for route in found ^ OPEN_ROUTES:
        yield f"{route}: open {'unexpectedly' if route in found else 'no longer'}"


def the_api_is_bounded_and_logged(source, translated):
    (_, stage), = of_type(translated, "AWS::ApiGatewayV2::Stage").items()
    properties = stage["Properties"]
    if not properties.get("AccessLogSettings", {}).get("DestinationArn"):
        yield "the API has no access log"
    if "ThrottlingRateLimit" not in properties.get("DefaultRouteSettings", {}):
        yield "the API is not throttled"
    settings = properties.get("RouteSettings", {})
    for verb, path in OPEN_ROUTES:
        if verb == "POST" and "ThrottlingRateLimit" not in settings.get(f"{verb} {path}", {}):
            yield f"{verb} {path}: is not throttled apart"
    for name, group in of_type(translated, "AWS::Logs::LogGroup").items():
        if "RetentionInDays" not in group["Properties"]:
            yield f"{name}: logs are kept for ever"
    for name, group in of_type(translated, "AWS::Logs::LogGroup").items():
        if "KmsKeyId" not in group["Properties"]:
            yield f"{name}: is not under the stack's key"


def every_failure_has_an_alarm(source, translated):
    watched = set()
    for name, alarm in of_type(translated, "AWS::CloudWatch::Alarm").items():
        properties = alarm["Properties"]
        if not properties.get("AlarmActions"):
            yield f"{name}: tells nobody"
        if properties["ComparisonOperator"] != "GreaterThanThreshold":
            yield f"{name}: is the wrong way round"
        metrics = [m["MetricStat"] for m in properties.get("Metrics", []) if "MetricStat" in m]
        metrics += [{"Metric": properties}] if "MetricName" in properties else []
        for metric in metrics:
            dimensions = {d["Name"]: d["Value"] for d in metric["Metric"]["Dimensions"]}
            function = dimensions.get("FunctionName", {})
            watched.add((metric["Metric"]["Namespace"], metric["Metric"]["MetricName"], function.get("Ref")))
    needed = {
        ("AWS/ApiGateway", "5xx", None), ("AWS/ApiGateway", "Latency", None),
        ("AWS/DynamoDB", "ReadThrottleEvents", None), ("AWS/DynamoDB", "WriteThrottleEvents", None),
        ("AWS/DynamoDB", "SystemErrors", None), ("AWS/SQS", "ApproximateNumberOfMessagesVisible", None),
        ("Scrip", "Conflicts", None), ("Scrip", "Contention", None),
    }
    needed |= {("AWS/Lambda", "Errors", name) for name in of_type(translated, "AWS::Lambda::Function")}
    for metric in needed - watched:
        yield f"no alarm watches {metric}"


def a_pool_of_users_cannot_raise_itself(source, translated):
    for name, client in of_type(translated, "AWS::Cognito::UserPoolClient").items():
        written = client["Properties"].get("WriteAttributes")
        if written is None or any(attribute.startswith("custom:") for attribute in written):
            yield f"{name}: callers may write the attributes that say what they may do"
    for name, pool in of_type(translated, "AWS::Cognito::UserPool").items():
        if not pool["Properties"].get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly"):
            yield f"{name}: anybody may register"


def every_variable_can_be_set(source, translated):
    read = set()
    for file in [*ROOT.glob("shared/*/src/**/*.rs"), *ROOT.glob("functions/*/src/**/*.rs")]:
        read |= set(re.findall(r'"(SCRIP_[A-Z_]+)"', file.read_text()))
    set_by_template = set(source["Globals"]["Function"]["Environment"]["Variables"])
    for function in of_type(translated, "AWS::Lambda::Function").values():
        set_by_template |= set(function["Properties"]["Environment"]["Variables"])
    ours = {name for name in set_by_template if name.startswith("SCRIP_")}
    for name in sorted(read - ours - set(NOT_SET)):
        yield f"{name} is read, but cannot be set by the template"
    for name in sorted((ours | set(NOT_SET)) - read):
        yield f"{name} is set or listed, but nothing reads it"
    for name in sorted(ours & set(NOT_SET)):
        yield f"{name} is a secret or for tests, but the template sets it"


def every_function_is_deployed(source, translated):
    folders = {path.parent.name for path in ROOT.glob("functions/*/Cargo.toml")}
    for name in folders ^ set(functions(source)):
        yield f"{name}: is a folder or a block, but not both"
    for logical_id, resource in source["Resources"].items():
        if resource["Type"] == FUNCTION:
            binary = resource["Metadata"]["BuildProperties"]["Binary"]
            if not json.dumps(resource["Properties"]["FunctionName"]).endswith(f'-{binary}"}}'):
                yield f"{logical_id}: its name is not that of its binary"


RULES = [
    no_wildcards, rights_by_leading_key, entries_are_immutable, value_moves_in_transactions, functions_are_bounded,
    schedules_fail_loudly, no_secret_in_a_template, the_table_survives, only_known_routes_are_open,
    the_api_is_bounded_and_logged, every_failure_has_an_alarm, a_pool_of_users_cannot_raise_itself,
    every_variable_can_be_set, every_function_is_deployed,
]


def findings(source, translated):
    return [f"{rule.__name__}: {found}" for rule in RULES for found in rule(source, translated)]
