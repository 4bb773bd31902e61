"""Checks infra/template.yaml: the translated template by cfn-lint and checkov, both by our own rules."""

import json
import pathlib
import subprocess
import sys
import tempfile

import planted
import policies
from translate import source, translated

# Findings of checkov that do not apply, each with the reason.
NOT_APPLICABLE = {
    "CKV_AWS_18": "the bucket's files are read by functions alone, and the table records which job has read which",
    "CKV_AWS_21": "a file is written once and kept for seven days; a job never reads another version of it",
    "CKV_AWS_27": "SQS encrypts under its own key: schedules and functions need no right to ours to write dead letters",
    "CKV_AWS_115": "a limit of concurrency for each function takes its requests from the others; the API is throttled",
    "CKV_AWS_116": "a dead-letter queue is for asynchronous calls: the scheduled functions have a destination instead",
    "CKV_AWS_117": "the functions reach nothing in a VPC; DynamoDB and the gateways are on the internet",
    "CKV_AWS_173": "no environment has a secret",
}


def main():
    written, made = source(), translated()
    size = len(json.dumps(made, separators=(",", ":")))
    print(f"translated: {len(made['Resources'])} resources, {size} bytes")
    failed = policies.findings(written, made)
    print("\n".join(failed) or f"{len(policies.RULES)} rules of our own: nothing found")
    programs = pathlib.Path(sys.executable).parent
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "template.json"
        file.write_text(json.dumps(made, indent=1))
        lint = subprocess.run([programs / "cfn-lint", file]).returncode
        print("cfn-lint: nothing found" if lint == 0 else "cfn-lint: see above", flush=True)
        checkov = subprocess.run([
            programs / "checkov", "--file", file, "--framework", "cloudformation", "--compact", "--quiet",
            "--skip-download", "--skip-check", ",".join(NOT_APPLICABLE),
        ]).returncode
    if failed or lint or checkov:
        sys.exit(1)
    planted.main()


if __name__ == "__main__":
    main()
