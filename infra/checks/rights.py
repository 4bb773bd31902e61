"""Compares the rights of each function with what it really asked of AWS.

A use is `[function, action, resource, leading key, enclosing operation]`: those of the deployed tests come from their
recorder, those of all other tests from `SCRIP_TEST_USES=<file> cargo test`, with the prefix of the key alone. Rights to
queues, keys and files are not compared: neither record has requests to them.
"""

import fnmatch
import json
import re

from policies import is_enclosed, leading_keys, listed, of_type
from translate import translated

# Rights that no test uses, each with the reason why a function has them.
UNUSED = {
    ("refund", "PutInTransaction", "A#w:*"): "the first entry of a month puts the figures of the month before",
    ("order-payment", "PutInTransaction", "A#w:*"): "the first entry of a month puts the figures of the month before",
    ("wallet-topup", "PutInTransaction", "A#w:*"): "the first entry of a month puts the figures of the month before",
    ("monitor", "PutInTransaction", "A#w:*"): "the first entry of a month puts the figures of the month before",
    ("move-books", "Read", "L#campaigns"): "in tests, the caller that makes the program has read the rules before",
}


def statements(template):
    """Yields each function's name and its statements."""
    managed = of_type(template, "AWS::IAM::ManagedPolicy")
    for logical_id, function in of_type(template, "AWS::Lambda::Function").items():
        name = function["Properties"]["FunctionName"]["Fn::Sub"].split("}-", 1)[1]
        role = template["Resources"][f"{logical_id}Role"]["Properties"]
        own = [s for policy in role.get("Policies", []) for s in listed(policy["PolicyDocument"]["Statement"])]
        for arn in role["ManagedPolicyArns"]:
            if isinstance(arn, dict) and arn.get("Ref") in managed:
                own += managed[arn["Ref"]]["Properties"]["PolicyDocument"]["Statement"]
        yield name, [s for s in own if not listed(s["Action"])[0].startswith(("sqs:", "kms:", "s3:"))]


def resource_of(value) -> str:
    """Returns `table`, `index/<name>`, or the logical id of a secret."""
    if value == {"Fn::GetAtt": ["Table", "Arn"]}:
        return "table"
    if "Fn::Sub" in value:
        return value["Fn::Sub"].removeprefix("${Table.Arn}/")
    return value["Ref"]


def matches(key: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(key, pattern.replace("[", "[[]"))


def permits(statement, use) -> bool:
    _, action, resource, key, enclosing = use
    if action not in listed(statement["Action"]) or resource not in map(resource_of, listed(statement["Resource"])):
        return False
    if is_enclosed(statement) and enclosing != "TransactWriteItems":
        return False
    keys = leading_keys(statement)
    return not keys or any(matches(key, pattern) for pattern in keys)


def normal(use):
    """Returns a use with a whole key and the logical id of a secret."""
    function, action, resource, key, enclosing = use
    if re.fullmatch(r"[A-Z]{1,2}#|[AE]#[a-z]:|L#[a-z]:|D#[a-z]?", key):
        key = "Z#probe" if key == "Z#" else key + "0"
    if action.startswith("secretsmanager:"):
        resource = re.search(r"(\w+)-[0-9A-F]+$", resource).group(1)
    return (function, action, resource, key, enclosing)


def findings(uses, template):
    uses = {normal(use) for use in uses if not use[1].startswith("kms:")}
    found = []
    for function, own in statements(template):
        mine = [use for use in uses if use[0] == function]
        if not mine:
            found.append(f"{function}: nothing is recorded")
            continue
        for use in mine:
            if not any(permits(statement, use) for statement in own):
                found.append(f"{function}: has no right to {' '.join(use[1:])}")
        for statement in own:
            used = [use for use in mine if permits(statement, use)]
            for action in set(listed(statement["Action"])) - {use[1] for use in used}:
                found.append(f"{function}: {statement['Sid']}: never used {action}")
            for resource in set(map(resource_of, listed(statement["Resource"]))) - {use[2] for use in used}:
                found.append(f"{function}: {statement['Sid']}: never used {resource}")
            for pattern in leading_keys(statement):
                is_used = any(matches(use[3], pattern) for use in used)
                if not is_used and (function, statement["Sid"], pattern) not in UNUSED:
                    found.append(f"{function}: {statement['Sid']}: never used {pattern}")
    return found


def read(file):
    """Returns the uses in a file of JSON lines."""
    return [tuple(json.loads(line)) for line in file.read_text().splitlines()]
