"""Plants mistakes in the template, one at a time, and checks that each is found by our rules or by cfn-lint.

A check that finds nothing in a template with a mistake is no check.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import policies
import rights
from translate import TEMPLATE, source, translated

TEXT = TEMPLATE.read_text()

# What is planted: a name, the text to replace (once) and its replacement.
MISTAKES = [
    ("a right to everything", "Action: [dynamodb:GetItem]", 'Action: ["dynamodb:*"]'),
    ("a right to every table", "Resource: !GetAtt Table.Arn", 'Resource: "*"'),
    ("a key pattern that fits all", '["A#w:*", "O#*"]', '["*"]'),
    ("requests without a leading key", '"Null": { "dynamodb:LeadingKeys": "false" }', ""),
    ("the wrong way round of Null", '"Null": { "dynamodb:LeadingKeys": "false" }', '"Null": { "dynamodb:LeadingKeys": "true" }'),
    ("entries are put outside transactions", 'StringEquals: { "dynamodb:EnclosingOperation": TransactWriteItems }', ""),
    ("wallets change outside transactions", '"O#*"] }\n                "Null": { "dynamodb:LeadingKeys": "false" }\n                StringEquals: { "dynamodb:EnclosingOperation": TransactWriteItems }\n      Events', '"O#*"] }\n                "Null": { "dynamodb:LeadingKeys": "false" }\n      Events'),
    ("entries are deleted", "Action: [dynamodb:PutItem]", "Action: [dynamodb:PutItem, dynamodb:DeleteItem]"),
    ("entries are updated", "Action: [dynamodb:PutItem]", "Action: [dynamodb:PutItem, dynamodb:UpdateItem]"),
    ("a fence may change amounts", "[pk, sk, state, attempt, fenced]", "[pk, sk, state, attempt, fenced, amount]"),
    ("a secret in an environment", "SCRIP_SECRETS: !Ref CursorKey", 'SCRIP_CURSOR_KEY: !Sub "{{resolve:secretsmanager:${CursorKey}}}"'),
    ("a secret in the template", '"stripe_secret_key":""', '"stripe_secret_key":"sk_live_1"'),
    ("a secret under AWS's key", "      Description: Seals gateways' reports\n      KmsKeyId: !Ref DataKey\n", "      Description: Seals gateways' reports\n"),
    ("a table that can be deleted", "DeletionProtectionEnabled: true", "DeletionProtectionEnabled: false"),
    ("a table without backups", "PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"),
    ("a table that goes with the stack", "    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    Properties:\n      BillingMode", "    Properties:\n      BillingMode"),
    ("a key that does not rotate", "EnableKeyRotation: true", "EnableKeyRotation: false"),
    ("a table under AWS's key", "SSESpecification: { SSEEnabled: true, SSEType: KMS, KMSMasterKeyId: !GetAtt DataKey.Arn }", "SSESpecification: { SSEEnabled: true }"),
    ("an open route", "Path: /api/credit/allocate, Method: POST }", "Path: /api/credit/allocate, Method: POST, Auth: { Authorizer: NONE } }"),
    ("a webhook behind tokens", "Path: /api/integration/webhook/stripe, Method: POST, Auth: { Authorizer: NONE } }", "Path: /api/integration/webhook/stripe, Method: POST }"),
    ("an API without a default authorizer", "        DefaultAuthorizer: Jwt\n", ""),
    ("an API without a limit", "        ThrottlingRateLimit: !Ref RequestsPerSecond\n", ""),
    ("a door without a limit of its own", '"POST /api/gift-cards/redeem": {', '"POST /api/gift-cards/redeems": {'),
    ("an API without a log", "        DestinationArn: !GetAtt AccessLogs.Arn\n", ""),
    ("logs for ever", "      RetentionInDays: !Ref LogDays\n", ""),
    ("a schedule that is off", "ScheduleExpression: rate(5 minutes)", "ScheduleExpression: rate(5 minutes)\n            State: DISABLED"),
    ("a schedule that is not retried", "RetryPolicy: { MaximumRetryAttempts: 2 }", "RetryPolicy: { MaximumRetryAttempts: 0 }"),
    ("a schedule without dead letters", "            DeadLetterConfig: { Arn: !GetAtt DeadLetters.Arn }\n", ""),
    ("a schedule in words that AWS does not know", "rate(15 minutes)", "every 15 minutes"),
    ("failed runs that go nowhere", "        DestinationConfig: { OnFailure: { Type: SQS, Destination: !GetAtt DeadLetters.Arn } }\n", ""),
    ("two sweeps at once", "      ReservedConcurrentExecutions: !If [Reserve, 1, !Ref AWS::NoValue]\n", ""),
    ("a schedule whose name is taken", "            OmitName: true\n", ""),
    ("dead letters that vanish", "MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 3600"),
    ("an alarm that nobody hears", "      AlarmActions: [!Ref Alarms]\n", ""),
    ("an alarm the wrong way round", "ComparisonOperator: GreaterThanThreshold", "ComparisonOperator: LessThanThreshold"),
    ("a function that no alarm watches", "Value: !Ref ProvisionGiftCard }", "Value: !Ref Wallet }"),
    ("a time limit below that of retries", "    Timeout: 20\n", "    Timeout: 3\n"),
    ("the wrong processor", "Architectures: [arm64]", "Architectures: [x86_64]"),
    ("a variable that nothing reads", "SCRIP_CURRENCY: !Ref Currency", "SCRIP_CURRENCY: !Ref Currency\n        SCRIP_CURENCY: !Ref Currency"),
    ("a setting that cannot be set", "        SCRIP_TIERS: !Ref Tiers\n", ""),
    ("another function's binary", "Binary: refund }", "Binary: wallet }"),
    ("callers may change their role", "      WriteAttributes: [email]\n", ""),
    ("anybody may register", "AllowAdminCreateUserOnly: true", "AllowAdminCreateUserOnly: false"),
    ("a reference to nothing", "!Ref CheckoutPage", "!Ref CheckoutPages"),
    ("an attribute that is not there", "!GetAtt DeadLetters.QueueName", "!GetAtt DeadLetters.Name"),
    ("a property that AWS does not know", "      MfaConfiguration: OPTIONAL", "      Mfa: OPTIONAL"),
    ("a value that AWS refuses", "BillingMode: PAY_PER_REQUEST", "BillingMode: ON_DEMAND"),
    ("a key schema without its attribute", "        - { AttributeName: dsk, AttributeType: S }\n", ""),
]


def lint(template: dict) -> str:
    """Returns what cfn-lint says of a translated template."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(template, file)
        file.flush()
        program = pathlib.Path(sys.executable).with_name("cfn-lint")
        done = subprocess.run([program, "--non-zero-exit-code", "error", file.name], capture_output=True, text=True)
        return done.stdout if done.returncode else ""


def caught(mistake) -> str | None:
    """Returns by what a mistake is found; None if by nothing."""
    name, text, replacement = mistake
    if text not in TEXT:
        raise SystemExit(f"the mistake {name!r} no longer fits the template: {text!r}")
    planted = TEXT.replace(text, replacement, 1)
    try:
        written, made = source(planted), translated(text=planted)
    except Exception as error:
        return f"the translator: {type(error).__name__}"
    found = policies.findings(written, made)
    if found:
        return found[0].split(":")[0]
    return "cfn-lint" if lint(made) else None


def rights_mistakes(uses) -> list:
    """Returns mistakes in rights that the comparison with what functions use does not find."""
    missed = []
    for name, text, replacement in [
        ("a right less", '"R#*"', '"Q#*"'),
        ("a right too many", '"E#w:*", "L#r:*", "O#*"] }', '"E#w:*", "L#r:*", "O#*", "C#*"] }'),
        ("an action too many", "Action: [dynamodb:BatchGetItem, dynamodb:GetItem, dynamodb:Query]", "Action: [dynamodb:BatchGetItem, dynamodb:ConditionCheckItem, dynamodb:GetItem, dynamodb:Query]"),
        ("a secret too many", "Resource: [!Ref SupplierSecrets]", "Resource: [!Ref SupplierSecrets, !Ref GatewaySecrets]"),
    ]:
        if text not in TEXT:
            raise SystemExit(f"the mistake {name!r} no longer fits the template: {text!r}")
        if not rights.findings(uses, translated(text=TEXT.replace(text, replacement, 1))):
            missed.append(name)
    return missed


def main():
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(caught, MISTAKES))
    for (name, *_), by in zip(MISTAKES, results):
        print(f"  {name}: {by or 'NOT FOUND'}")
    missed = [name for (name, *_), by in zip(MISTAKES, results) if by is None]
    print(f"{len(MISTAKES) - len(missed)} of {len(MISTAKES)} planted mistakes are found")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
