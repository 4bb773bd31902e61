"""Stands between the functions and AWS, and records what each function really asks for.

Every function has its own address here (`/<function>`), so that a request names its sender. A DynamoDB request
is recorded as the item actions that IAM would check: action, resource (table or index), leading key, and the
operation that encloses it.
"""

import http.client
import json
import re
import threading
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# `resource` is "table", "index/<name>" or, for another service, the id that the request names.
Use = namedtuple("Use", "function action resource key enclosing")

TRANSACTION_ACTIONS = {
    "Put": ("dynamodb:PutItem", "Item"),
    "Update": ("dynamodb:UpdateItem", "Key"),
    "Delete": ("dynamodb:DeleteItem", "Key"),
    "ConditionCheck": ("dynamodb:ConditionCheckItem", "Key"),
    "Get": ("dynamodb:GetItem", "Key"),
}


def leading(attributes: dict) -> str:
    return attributes["pk"]["S"]


def queried(body: dict) -> str:
    """Returns the value of the hash key in a query's condition."""
    first = re.match(r"\(?\s*(\S+?)\s*=\s*(:\w+)", body["KeyConditionExpression"])
    return body["ExpressionAttributeValues"][first.group(2)]["S"]


def uses(function: str, target: str, body: dict):
    """Yields what IAM checks of one request."""
    service, operation = target.split(".", 1)
    service = service.split("_")[0]
    if service == "secretsmanager":
        yield Use(function, f"secretsmanager:{operation}", body["SecretId"], "", "")
    elif service == "AmazonSQS":
        # Rights to queues are not compared (see rights.py); here, a message that is not sent fails the test.
        return
    elif service == "TrentService":
        yield Use(function, f"kms:{operation}", "", "", "")
    elif operation in ("TransactWriteItems", "TransactGetItems"):
        for item in body["TransactItems"]:
            (kind, request), = item.items()
            action, place = TRANSACTION_ACTIONS[kind]
            yield Use(function, action, "table", leading(request[place]), operation)
    elif operation == "BatchGetItem":
        for request in body["RequestItems"].values():
            for key in request["Keys"]:
                yield Use(function, "dynamodb:BatchGetItem", "table", leading(key), "")
    elif operation == "Query":
        index = body.get("IndexName")
        yield Use(function, "dynamodb:Query", f"index/{index}" if index else "table", queried(body), "")
    elif operation == "Scan":
        yield Use(function, "dynamodb:Scan", "table", "", "")
    elif operation in ("GetItem", "UpdateItem", "DeleteItem"):
        yield Use(function, f"dynamodb:{operation}", "table", leading(body["Key"]), "")
    elif operation == "PutItem":
        yield Use(function, "dynamodb:PutItem", "table", leading(body["Item"]), "")
    else:
        raise ValueError(f"the recorder does not know the operation {operation}")


class Recorder:
    """Serves on a free port of loopback until the process ends."""

    def __init__(self, behind: str):
        self.behind, host = behind, behind.removeprefix("http://")
        self.uses, self.unknown, self.lock = set(), [], threading.Lock()
        recorder, connections = self, threading.local()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                recorder.note(self.path.split("/")[1], self.headers["X-Amz-Target"], body)
                status, headers, answer = self.forward(body)
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def forward(self, body):
                for fresh in (False, True):
                    connection = getattr(connections, "one", None)
                    if fresh or connection is None:
                        connection = connections.one = http.client.HTTPConnection(host, timeout=60)
                    try:
                        connection.request("POST", "/", body, dict(self.headers))
                        answer = connection.getresponse()
                        return answer.status, answer.getheaders(), answer.read()
                    except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                        # The other side closed a connection that was idle: nothing was read.
                        if fresh:
                            raise

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def note(self, function: str, target: str, body: bytes):
        try:
            seen = set(uses(function, target, json.loads(body)))
            with self.lock:
                self.uses |= seen
        except Exception as error:  # What cannot be recorded fails the check, not the request.
            with self.lock:
                self.unknown.append(f"{function}: {target}: {error!r}")

    def endpoints(self, function: str) -> dict:
        """Returns the variables that send a function's requests here; those of S3, which the URLs that it signs for
        others name too, go past the recorder."""
        services = ("DYNAMODB", "KMS", "SECRETSMANAGER", "SQS")
        recorded = {f"AWS_ENDPOINT_URL_{service}": f"{self.url}/{function}" for service in services}
        return {**recorded, "AWS_ENDPOINT_URL_S3": self.behind}
