"""What a trail must say of a session whose disk was full for a while. Pure: hooks as they fired, events and the certificate in, sentences out.

The expectation comes from beside the recorder: a hook of the harness writes down each hook that the client fired, the scripted API says what it
served, and another application says which of its events were acknowledged.
"""
import collections

# These name their call: each is one delivery about one call.
OF_CALLS = {"PreToolUse", "PostToolUse", "PostToolUseFailure", "PermissionRequest", "PermissionDenied"}


def fired_hooks(lines):
    """Counts the hooks that the client fired, by name and call."""
    hooks = [line["event"] for line in lines]
    return collections.Counter(
        (hook["hook_event_name"], hook.get("tool_use_id") if hook["hook_event_name"] in OF_CALLS else None) for hook in hooks)


def told_hooks(events):
    """Counts the hooks that the trail tells of. What several calls of one hook led to is one hook."""
    own = [event for event in events if event.get("witness") == "hook" and event.get("hook_event_name")]
    told = collections.Counter()
    for event in own:
        name = event["hook_event_name"]
        if name in OF_CALLS:
            told[name, event.get("tool_use_id")] = 1
        elif name != "PostToolBatch" or event["event_type"] == "tool.batch":
            told[name, None] += 1
    return told


def counted(events, witness):
    """Returns how many events of a witness the recorder says were lost."""
    gaps = [event["ledger"] for event in events if event["event_type"] == "ledger.gap"]
    return sum(gap.get("lost") or 0 for gap in gaps if gap.get("witness") == witness)


def problems_of_losses(scenario, certificate, calls, answers, events, lines, acknowledged):
    """Names what is neither in the trail nor admitted as lost, and what is admitted and was not lost."""
    found = []
    known = {event["audit_id"] for event in events}
    silent = [ident for ident in acknowledged if ident not in known]
    if silent or not acknowledged:
        found.append(f"{len(silent)} of {len(acknowledged)} acknowledged events of another application are not in the trail")
    fired, told = fired_hooks(lines), told_hooks(events)
    lost, invented = fired - told, told - fired
    if counted(events, "hook") != sum(lost.values()) or invented or not lost:
        found.append(f"the hooks {dict(lost)} are not in the trail, which admits {counted(events, 'hook')}; {dict(invented)} never fired")
    through = {event.get("request_id") for event in events if event.get("witness") == "gateway" and event.get("phase") == "intent"
               and event["event_type"] == "model.request"}
    asked = {event.get("parent_audit_id"): event.get("request_id") for event in events
             if event.get("witness") == "gateway" and event["event_type"] == "model.response"}
    sealed = {event["audit_id"] for event in events if event["event_type"] == "model.request" and event.get("witness") == "gateway"}
    unasked = [answer for answer in answers if answer not in through and not any(
        request == answer and parent in sealed for parent, request in asked.items())]
    if counted(events, "gateway") != len(unasked):
        found.append(f"{len(unasked)} requests passed the gateway unsealed, which admits {counted(events, 'gateway')}")
    if bool(unasked) != (scenario["gateway"] == "continue"):
        found.append(f"with {scenario['gateway']}, {len(unasked)} requests passed the gateway unsealed")
    causes = {(loss["witness"], loss["cause"]) for loss in certificate["losses"]["items"]}
    wanted = {("hook", "disk_full")} | ({("gateway", "gateway_unsealed")} if unasked else set())
    if causes != wanted:
        found.append(f"the certificate names the losses {sorted(causes)}, not {sorted(wanted)}")
    if scenario.get("hooks") == "block":
        found += problems_of_refused(calls, told)
    return found


def problems_of_refused(calls, told):
    """A call whose hook could not be recorded did not run, and the model was told why; one that ran is in the trail."""
    found = []
    refused = [ident for ident, call in calls.items() if "cannot be recorded" in call.get("told", "")]
    if not refused:
        found.append("no call was refused")
    for ident, call in calls.items():
        if (ident in refused) == (("PreToolUse", ident) in told):
            found.append(f"{ident}: refused {ident in refused}, its PreToolUse is {'' if ('PreToolUse', ident) in told else 'not '}in the trail")
        if ident in refused and not call.get("is_error"):
            found.append(f"{ident}: was refused, and the model was told that it ran")
    return found
