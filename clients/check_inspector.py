#!/usr/bin/env python3
"""Uses the collector and the recording proxy with the MCP inspector's command line (`@modelcontextprotocol/inspector` on npm), a client that shares no code
with ours or with the Python SDK.

    check_inspector.py [--bin DIR] [--tools DIR]

The collector over standard input and output, and over streamable HTTP at `/mcp` of `sealtrail serve`; any server through the proxy. Each answers
`tools/list` with schemas that the inspector finds portable (`--strict`), `tools/call`, and calls that fail in either way; and the trail has what was called.
The inspector wants a newer Node than distributions have: where `node` is too old, one comes from npm, too. Nothing but the two installs uses the network.
"""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
INSPECTOR = "@modelcontextprotocol/inspector@2.12.0"
NODE_OLDEST, NODE = (22, 19), "22.23.3"
SERVER = ROOT / "harness/mcp_server.py"


class Inspector:
    """The inspector, installed once into a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.script = folder / "node_modules/.bin/mcp-inspector"
        self.node = shutil.which("node")
        packages = [INSPECTOR]
        if not self.node or version_of(self.node) < NODE_OLDEST:
            name = f"node-linux-{ {'x86_64': 'x64', 'aarch64': 'arm64'}[platform.machine()] }"
            self.node = folder / f"node_modules/{name}/bin/node"
            packages.append(f"{name}@{NODE}")
        if not self.script.exists() or not os.path.exists(self.node):
            folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix", str(folder), *packages],
                           check=True)

    def __call__(self, server, method, *words):
        """Runs one method of a server, given as in a client's configuration; returns the exit code and what was printed, as JSON where it is."""
        config = self.folder / "servers.json"
        config.write_text(json.dumps({"mcpServers": {"it": server}}))
        command = [self.node, self.script, "--cli", "--config", config, "--server", "it", "--method", method, *words]
        # A folder of its own, so that the person's catalog of servers is neither read nor made.
        ran = subprocess.run([str(word) for word in command], env={**os.environ, "HOME": str(self.folder)}, capture_output=True, text=True, timeout=60)
        try:
            return ran.returncode, json.loads(ran.stdout)
        except json.JSONDecodeError:
            return ran.returncode, ran.stdout + ran.stderr

    def tools(self, server):
        code, answer = self(server, "tools/list", "--strict")
        assert code == 0, (code, answer)
        return sorted(tool["name"] for tool in answer["tools"])

    def tool(self, server, name, *pairs):
        arguments = ["--tool-arg", *pairs] if pairs else []
        return self(server, "tools/call", "--tool-name", name, *arguments)


def version_of(node):
    text = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


class Trail:
    def __init__(self, binary, home):
        self.words = [str(binary), "--home", str(home), "--quiet"]
        self("init", "--no-input", "--no-hooks")

    def __call__(self, *words):
        return subprocess.run([*self.words, *words], check=True, capture_output=True, text=True).stdout.strip()

    def events(self, query):
        return [json.loads(line) for line in self("search", query, "--all", "--output", "ndjson").split("\n") if line]


def stdio(*words):
    return {"type": "stdio", "command": str(words[0]), "args": [str(word) for word in words[1:]]}


def check_collector(inspector, trail, server):
    assert inspector.tools(server) == ["log_decision", "log_event", "search"]
    code, answer = inspector.tool(server, "log_event", "event_type=data.file_read", "outcome=success", 'complianceTags=["SOC2"]')
    assert code == 0, (code, answer)
    told = json.loads(answer["content"][0]["text"])
    assert code == 0 and told["recorded"] and told["receipt"]["tree_size"] > told["receipt"]["seq"], answer
    code, answer = inspector.tool(server, "log_event", "outcome=sucess")
    assert answer["isError"] and "sucess" in answer["content"][0]["text"], answer
    code, answer = inspector.tool(server, "no_such_tool")
    assert code != 0, answer
    [event] = trail.events(f"audit_id={told['audit_id']}")
    assert (event["event_type"], event["grade"], event["witness"]) == ("data.file_read", "asserted", "mcp"), event


def check_serve(inspector, trail):
    write = trail("token", "create", "--name", "inspector", "--scope", "write")
    server = subprocess.Popen([*trail.words[:-1], "serve", "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
    try:
        urls = (re.search(r"http://[0-9.:]+/mcp", line) for line in server.stderr)
        url = next(found for found in urls if found).group()
        listed = {"type": "streamable-http", "url": url}
        check_collector(inspector, trail, {**listed, "headers": {"Authorization": f"Bearer {write}"}})
        code, answer = inspector(listed, "tools/list")
        assert code != 0 and "auth_required" in str(answer), answer
    finally:
        server.terminate()
        server.wait(30)


def check_proxy(inspector, trail):
    plain = [sys.executable, SERVER]
    got = []
    for server in (stdio(*plain), stdio(*trail.words[:-1], "mcp", "proxy", "--name", "demo", "--", *plain)):
        calls = [inspector.tool(server, name, *pairs) for name, *pairs in (["echo", "text=hi"], ["structured", "n=7"], ["fail"], ["rpc_error"])]
        got.append((inspector.tools(server), calls))
    assert got[0] == got[1], got
    ends = {(event["tool_name"], event["outcome"]) for event in trail.events("mcp_server=demo and phase=outcome")}
    assert ends == {("mcp__demo__echo", "success"), ("mcp__demo__structured", "success"), ("mcp__demo__fail", "failure"), ("mcp__demo__rpc_error", "error")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda path: pathlib.Path(path).resolve(), default=ROOT / "target/debug")
    parser.add_argument("--tools", type=lambda path: pathlib.Path(path).resolve(), default=ROOT / "target/inspector")
    options = parser.parse_args()
    inspector = Inspector(options.tools)
    with tempfile.TemporaryDirectory() as folder:
        trail = Trail(options.bin / "sealtrail", pathlib.Path(folder) / "home")
        check_collector(inspector, trail, stdio(*trail.words[:-1], "mcp", "collector"))
        check_serve(inspector, trail)
        check_proxy(inspector, trail)
        trail("verify-integrity")
    print("inspector: 3 passed, 0 failed")


if __name__ == "__main__":
    sys.exit(main())
