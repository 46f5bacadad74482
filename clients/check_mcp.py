#!/usr/bin/env python3
"""Uses `sealtrail mcp` as an agent does, with the protocol's own Python SDK (`mcp` on PyPI): on the home itself, and through a daemon's query API."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

ROOT = Path(__file__).resolve().parents[1]
BINARY = os.environ.get("SEALTRAIL", str(ROOT / "target/debug/sealtrail"))


def run(home: Path, *words: str) -> str:
    return subprocess.run([BINARY, "--home", str(home), "--quiet", *words], check=True, capture_output=True, text=True).stdout.strip()


async def ask(home: Path, token: str, *flags: str) -> None:
    server = StdioServerParameters(command=BINARY, args=["--home", str(home), "mcp", *flags], env={**os.environ, "SEALTRAIL_TOKEN": token})
    async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = await session.list_tools()
        assert sorted(tool.name for tool in tools.tools) == ["audit_get", "audit_search", "audit_trace_chain"], tools

        async def call(name: str, **arguments: Any) -> Any:
            result = await session.call_tool(name, arguments)
            return result, result.content[0].text

        _, text = await call("audit_search", where={"event_type": "auth.user_login"})
        assert len(json.loads(text)["events"]) == 1, text
        _, text = await call("audit_search", query="event_type=data.* | count by event_type")
        assert json.loads(text)["table"]["rows"] == [["data.file_read", 1]], text
        event = json.loads((await call("audit_search", where={"event_type": "data.file_read"}))[1])["events"][0]
        assert "user_id" not in event and "identity" in event["withheld"], event
        _, text = await call("audit_get", audit_id=event["audit_id"], proof=True)
        assert json.loads(text)["seal"]["schema"] == "sealtrail.sealed/1", text
        _, text = await call("audit_trace_chain", execution_id="exec_xyz789abc123")
        chain = json.loads(text)
        assert [step["name"] for step in chain["steps"]] == ["workflow.execution"] and len(chain["custody"]["leaves"]) == 1, text
        refused, text = await call("audit_search", query="user_id=x")
        assert refused.is_error and "problem:content" in text, text
        refused, text = await call("audit_search", query="usr_id=x")
        assert refused.is_error and "hint" in text, text


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        run(home, "init", "--no-input", "--no-hooks")
        for record in sorted((ROOT / "fixtures/seeds").glob("trail-*.json")):
            run(home, "import", "events", str(record))
        token = run(home, "token", "create", "--name", "agent", "--scope", "read", "--no-content")
        asyncio.run(ask(home, token))
        daemon = subprocess.Popen([BINARY, "--home", str(home), "daemon", "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
        try:
            assert daemon.stderr is not None
            urls = (re.search(r"http://[0-9.]+:[0-9]+", line) for line in daemon.stderr)
            url = next(found for found in urls if found).group()
            asyncio.run(ask(home, token))
            asyncio.run(ask(home, token, "--url", url))
        finally:
            daemon.terminate()
            daemon.wait(30)
        run(home, "verify-integrity")
        readings = json.loads(run(home, "search", "--event-type", "system.audit_log_accessed", "--all", "--output", "json"))
        told = [event["access"]["command"] for event in readings if event["access"].get("token") == "agent"]
        assert told.count("mcp search") == 6 and told.count("api search") == 3, told
        bare = subprocess.run([BINARY, "--home", str(home), "mcp"], capture_output=True, text=True, env={**os.environ, "SEALTRAIL_TOKEN": ""})
        assert bare.returncode == 7 and "no token" in bare.stderr, bare
    print("3 passed, 0 failed")


if __name__ == "__main__":
    sys.exit(main())
