#!/usr/bin/env python3
"""Runs the commands of README.md and of the documents that continue it, in this order, on a fresh platform, and
compares their output with the output that the documents show. `…` in a document matches any text. A digest matches
any digest, because digests cover times and so differ between platforms."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = ["README.md", "docs/payments.md", "docs/gift-cards.md", "docs/loyalty.md", "docs/jobs.md"]
END = "__end_of_command__"


def binary():
    """Builds the command line and returns its path."""
    build = ["cargo", "build", "--locked", "--bin", "scrip", "--message-format", "json-render-diagnostics"]
    lines = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    made = [json.loads(line) for line in lines]
    return next(one["executable"] for one in made if one.get("executable"))


def steps(document):
    """Returns the commands of a document, each with its line number and the output that is shown, or None."""
    lines = (ROOT / document).read_text().splitlines()
    fence, block, found = None, [], []
    for number, line in enumerate(lines, 1):
        if fence is None:
            fence, block = (line[3:], []) if line.startswith("```") else (None, [])
        elif line != "```":
            block.append((number, line))
        else:
            if fence == "sh" and not any("cargo test" in text for _, text in block):
                found.append([block[0][0], "\n".join(text for _, text in block), None])
            elif fence == "json":
                found[-1][2] = "\n".join(text for _, text in block)
            elif fence == "console":
                for at, text in block:
                    if text.startswith("$ "):
                        found.append([at, text[2:], ""])
                    else:
                        found[-1][2] += text + "\n"
            fence = None
    return found


class Shell:
    """A bash process in a directory of its own, in which `cargo run -- …` runs the `scrip` command line."""

    def __init__(self, scrip, api, data):
        self.api = api
        self.bash = subprocess.Popen(
            ["bash"], cwd=data, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.run(f'cargo() {{ while [ "$1" != -- ]; do shift; done; shift; "{scrip}" "$@" --data "{data}/.scrip"; }}')

    def run(self, command):
        """Runs a command; returns its output, without the text that a progress line has overwritten."""
        command = command.replace("localhost:8787", self.api)
        self.bash.stdin.write(f"{command}\necho; echo {END}\n")
        self.bash.stdin.flush()
        printed = []
        while (line := self.bash.stdout.readline()).strip() != END:
            if not line:
                sys.exit(f"the shell has ended after: {command}")
            printed.append(line.rstrip("\n").split("\r")[-1].rstrip())
        return "\n".join(printed).strip("\n")


def main():
    scrip = binary()
    with tempfile.TemporaryDirectory() as data:
        serve = [scrip, "serve", "--port", "0", "--dynamodb-port", "0", "--data", f"{data}/.scrip"]
        platform = subprocess.Popen(serve, cwd=data, stdout=subprocess.PIPE, text=True)
        try:
            ready = next(line for line in platform.stdout if line.startswith("ready: "))
            shell = Shell(scrip, ready.split()[1].removeprefix("http://"), data)
            count = 0
            for document in DOCUMENTS:
                for line, command, shown in steps(document):
                    printed = shell.run(command)
                    count += 1
                    if shown is None:
                        matches = "urn:scrip:problem" not in printed and "error" not in printed
                    else:
                        pattern = ".*".join(re.escape(part) for part in shown.strip("\n").split("…"))
                        pattern = re.sub("[0-9a-f]{64}", "[0-9a-f]{64}", pattern)
                        matches = re.fullmatch(pattern, printed, re.DOTALL)
                    if not matches:
                        sys.exit(f"{document}:{line}: {command}\nshown:\n{shown}\nprinted:\n{printed}")
            print(f"{count} commands of {', '.join(DOCUMENTS)} print what the documents show")
        finally:
            platform.kill()


if __name__ == "__main__":
    main()
