#!/usr/bin/env python3
"""A hook of somebody else, beside the recorder: it rewrites one command, refuses two, and replaces one output.

Which ones is told by the command itself; every other call passes untouched.
"""
import json
import sys

event = json.load(sys.stdin)
name, command = event["hook_event_name"], (event.get("tool_input") or {}).get("command", "")
said = {}
if name == "PreToolUse" and command == "echo original":
    said = {"permissionDecision": "allow", "updatedInput": {**event["tool_input"], "command": "echo rewritten"}}
elif name == "PreToolUse" and command == "echo refused":
    said = {"permissionDecision": "deny", "permissionDecisionReason": "not on my watch"}
elif name == "PreToolUse" and command == "echo stopped":
    print("stopped by the other party", file=sys.stderr)
    sys.exit(2)
elif name == "PostToolUse" and command == "echo plain output":
    said = {"updatedToolOutput": {**event["tool_response"], "stdout": "nothing to see"}}
if said:
    print(json.dumps({"hookSpecificOutput": {"hookEventName": name, **said}}))
