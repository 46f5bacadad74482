"""What a trail must say about a session that the scripted API served. Pure: records and events in, sentences out.

The expectation comes from the other side of the client. The API knows which calls it served, to which agent, started by
whom, with which input, and what the client answered; the script says how each call ends (`expect`). A sentence names
every call that the trail does not tell like that.
"""
import json


def served_calls(records, script):
    """Returns {tool_use_id: call} of every call that the API served, in order."""
    calls, results = {}, {}
    for record in records:
        headers = {name.lower(): value for name, value in record["request"]["headers"]}
        for call in sse_calls(record):
            call["agent"] = headers.get("x-claude-code-agent-id")
            call["parent"] = headers.get("x-claude-code-parent-agent-id")
            call["expect"] = expectation(script, record, call["index"])
            calls.setdefault(call["id"], call)
        body = record["request"].get("body")
        for message in body.get("messages", []) if isinstance(body, dict) else []:
            for block in message.get("content", []) if isinstance(message.get("content"), list) else []:
                if isinstance(block, dict) and block.get("type") == "tool_result":
                    results[block["tool_use_id"]] = block
    for ident, block in results.items():
        if ident in calls:
            calls[ident]["is_error"], calls[ident]["told"] = bool(block.get("is_error")), " ".join(texts(block.get("content")))
    return calls


def sse_calls(record):
    """Yields the tool_use blocks of one answer."""
    blocks = {}
    for event in record.get("response", {}).get("sse") or []:
        data = event.get("data", {})
        block = data.get("content_block") or {}
        if event.get("event") == "content_block_start" and block.get("type") == "tool_use":
            blocks[data["index"]] = {"id": block["id"], "name": block["name"], "index": data["index"], "json": ""}
        elif data.get("index") in blocks and (data.get("delta") or {}).get("type") == "input_json_delta":
            blocks[data["index"]]["json"] += data["delta"]["partial_json"]
    for block in blocks.values():
        block["input"] = json.loads(block.pop("json") or "{}")
        yield block


def expectation(script, record, index):
    steps = script["lanes"].get(record.get("lane")) or []
    step = steps[record["step"]] if record.get("step") is not None and record["step"] < len(steps) else {}
    content = step.get("content") or []
    return (content[index].get("expect") or {}) if index < len(content) else {}


def texts(value):
    """Yields every string and number in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, int):
        yield str(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def about(call, events):
    return [event for event in events if event.get("tool_use_id") == call]


def batches_of(call, events):
    """Returns what the batch hooks say of one call: its input as the model wrote it, its result as the model was told."""
    for event in events:
        if event.get("event_type") == "tool.batch":
            yield [inner for inner in event.get("tool_calls") or [] if inner.get("tool_use_id") == call]
            yield (event.get("tool_results") or {}).get(call)


def problems_of_call(call, events, secret):
    """Returns what is wrong with the trail of one call."""
    expect, found = call["expect"], []
    mentions = about(call["id"], events)
    ends = [event for event in mentions if event.get("phase") == "outcome"]
    if len(ends) != 1:
        return [f"{len(ends)} outcomes in the trail, where {len(mentions)} events mention it"]
    outcome = ends[0].get("outcome")
    if "is_error" in call and call["is_error"] != (outcome not in ("success", "unknown")):
        found.append(f"the trail says {outcome}, the client told the model is_error={call['is_error']}")
    if "outcome" in expect and outcome != expect["outcome"]:
        found.append(f"the trail says {outcome}, the script expects {expect['outcome']}")
    for event in mentions:
        if event.get("agent_id") != call["agent"] or event.get("parent_agent_id") != call["parent"]:
            found.append(f"{event['event_type']} names agent {event.get('agent_id')} of {event.get('parent_agent_id')}, "
                         f"the API was asked by {call['agent']} of {call['parent']}")
    told = list(texts([mentions, list(batches_of(call["id"], events))]))
    for text in texts(list(call["input"].values())):
        if secret not in text and not any(text in inner for inner in told):
            found.append(f"its input is not in the trail: {text[:80]!r}")
    for text in expect.get("holds", []):
        if not any(text in inner for inner in told):
            found.append(f"not in the trail: {text!r}")
    if "rewritten" in expect and expect["rewritten"] not in [
            event.get("reason") for event in mentions if event["event_type"] == "policy.rewritten"]:
        found.append(f"no policy.rewritten of its {expect['rewritten']}")
    return found


def problems_of_calls(calls, events, secret):
    """Returns a sentence for everything that is wrong, each with the tool and the id of the call."""
    found = [f"{call['name']} {call['id']}: {sentence}"
             for call in calls.values() for sentence in problems_of_call(call, events, secret)]
    invented = {event["tool_use_id"] for event in events if event.get("tool_use_id")} - set(calls)
    return found + [f"{call}: in the trail, but the API never served it" for call in sorted(invented)]


def blind_spots(calls, events, secret):
    """Proves the check itself: with the events of one call taken out of the trail, that call must be named."""
    for call in calls:
        rest = [event for event in events if event.get("tool_use_id") != call]
        if not any(call in sentence for sentence in problems_of_calls(calls, rest, secret)):
            yield f"{call}: this check would not notice if the trail lacked it"


def problems_of_blocked(calls, events):
    """Returns what is wrong where no hook could be recorded and the operator chose `block`: no call ran, each knows why,
    and the loss is told."""
    found = [f"{call['name']} {call['id']}: it ran, or was not told why not: {call.get('told')!r}"
             for call in calls.values() if not call.get("is_error") or "cannot be recorded" not in call["told"]]
    lost = sum((event.get("ledger") or {}).get("lost") or 0 for event in events if event["event_type"] == "ledger.gap")
    if lost < len(calls):
        found.append(f"the trail admits {lost} lost events, {len(calls)} calls were refused")
    return found


def problems_of_agents(calls, events, all_ended):
    """Returns what is wrong with the delegation of each subagent that the API saw."""
    found = []
    for agent, parent in {(call["agent"], call["parent"]) for call in calls.values() if call["agent"]}:
        # The life of the child; the call as the parent saw it has a phase.
        own = [event for event in events if event.get("agent_id") == agent and event.get("phase") is None]
        for event in own:
            if event["event_type"] == "agent.subagent_spawned" and (event.get("delegation") or {}).get("how") != "unknown" \
                    and event.get("parent_agent_id") != parent:
                found.append(f"agent {agent}: spawned by {event.get('parent_agent_id')}, the API says {parent}")
        ends = [event for event in own if event["event_type"] == "agent.subagent_finished"]
        if all_ended and not ends:
            found.append(f"agent {agent}: its end is not in the trail")
        for event in ends:
            chain, how = event.get("delegation_chain") or [], (event.get("delegation") or {}).get("how")
            if how != "meta" or chain[-1:] != [f"agent:{agent}"] or (parent and chain[-2:-1] != [f"agent:{parent}"]):
                found.append(f"agent {agent}: its delegation is {chain} by {how}, the API says it was started by {parent}")
    return found
