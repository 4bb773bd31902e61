"""A debit in Python with boto3, as a Lambda function would be written by hand, for comparison.

It reads the wallet, and writes wallet and entry in one transaction; no lots, holds, replay or proof. The lines at the
end are Lambda's runtime: they fetch events and send answers.
"""

import json
import os
import urllib.request
import uuid

import boto3
import botocore.config

TABLE = os.environ["SCRIP_TABLE"]
CONFIG = botocore.config.Config(retries={"total_max_attempts": 1})
DYNAMODB = boto3.client("dynamodb", endpoint_url=os.environ["AWS_ENDPOINT_URL_DYNAMODB"], config=CONFIG)


def handler(event):
    customer = event["rawPath"].split("/")[3]
    amount = json.loads(event["body"])["amount"]
    key = {"pk": {"S": f"A#x:{customer}"}, "sk": {"S": "A"}}
    wallet = DYNAMODB.get_item(TableName=TABLE, Key=key, ConsistentRead=True)["Item"]
    version = int(wallet["version"]["N"])
    cause = uuid.uuid4().hex
    entry = {"pk": {"S": f"E#x:{customer}"}, "sk": {"S": cause}, "amount": {"N": str(amount)}}
    DYNAMODB.transact_write_items(TransactItems=[
        {"Put": {"TableName": TABLE, "Item": entry, "ConditionExpression": "attribute_not_exists(pk)"}},
        {"Update": {
            "TableName": TABLE, "Key": key, "ConditionExpression": "version = :was AND balance >= :amount",
            "UpdateExpression": "SET balance = balance - :amount, version = version + :one",
            "ExpressionAttributeValues": {
                ":was": {"N": str(version)}, ":amount": {"N": str(amount)}, ":one": {"N": "1"},
            },
        }},
    ])
    return {"statusCode": 201, "body": json.dumps({"id": cause})}


def main():
    api = f"http://{os.environ['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation"
    try:
        DYNAMODB.get_item(TableName=TABLE, Key={"pk": {"S": "Z#probe"}, "sk": {"S": "Z"}})
    except DYNAMODB.exceptions.ResourceNotFoundException:
        pass
    while True:
        with urllib.request.urlopen(f"{api}/next") as given:
            request, event = given.headers["Lambda-Runtime-Aws-Request-Id"], json.load(given)
        answer = json.dumps(handler(event)).encode()
        urllib.request.urlopen(urllib.request.Request(f"{api}/{request}/response", answer, method="POST")).close()


main()
