"""Talks to an API with the unmodified Python SDK, in all the ways that the gateway must not disturb; prints what came as JSON.

    gateway_sdk.py BASE_URL
"""
import json
import sys

import anthropic

SESSION = {"X-Claude-Code-Session-Id": "5e551011-0000-4000-8000-00000000000a"}
TOOLS = [{"name": name, "description": name, "input_schema": {"type": "object"}} for name in ("get_weather", "get_time")]


def ask(lane, **more):
    return {"model": "claude-test-1", "max_tokens": 256, "messages": [{"role": "user", "content": f"[lane:{lane}] go"}], **more}


def failure(call):
    try:
        call()
    except anthropic.APIStatusError as error:
        return {"class": type(error).__name__, "status": error.status_code, "body": (error.body or {}).get("error")}
    except anthropic.APIError as error:
        return {"class": type(error).__name__, "body": (error.body or {}).get("error") if isinstance(error.body, dict) else None}
    return "no error"


def main():
    client = anthropic.Anthropic(base_url=sys.argv[1], api_key="sk-ant-sdk-python", default_headers=SESSION)
    seen, ids = {}, []

    def kept(message):
        if message._request_id:
            ids.append(message._request_id)
        return json.loads(message.to_json())

    seen["plain"] = kept(client.messages.create(**ask("plain")))
    seen["thinking"] = kept(client.messages.create(**ask("thinking")))
    with client.messages.stream(**ask("plain")) as stream:
        seen["stream_text"] = list(stream.text_stream)
        seen["stream_message"] = json.loads(stream.get_final_message().to_json())
    events = client.messages.create(**ask("plain", stream=True))
    seen["stream_events"] = [event.type for event in events]
    with client.messages.stream(**ask("tools", tools=TOOLS)) as stream:
        first = stream.get_final_message()
    seen["tools"] = json.loads(first.to_json())
    results = [{"type": "tool_result", "tool_use_id": block.id, "content": "rain", "is_error": block.name == "get_time"}
               for block in first.content if block.type == "tool_use"]
    turn = ask("tools", tools=TOOLS)
    turn["messages"] += [{"role": "assistant", "content": seen["tools"]["content"]}, {"role": "user", "content": results}]
    seen["after_tools"] = kept(client.messages.create(**turn))
    seen["retried"] = kept(client.messages.create(**ask("retried")))
    seen["limited"] = kept(client.messages.create(**ask("limited")))
    seen["dropped"] = kept(client.messages.create(**ask("dropped")))
    seen["refused"] = failure(lambda: client.messages.create(**ask("refused")))

    def broken():
        with client.messages.stream(**ask("broken")) as stream:
            stream.until_done()

    seen["broken"] = failure(broken)
    seen["count"] = client.messages.count_tokens(model="claude-test-1", messages=[{"role": "user", "content": "x"}]).input_tokens
    seen["models"] = [model.id for model in client.models.list()]
    seen["batches"] = failure(lambda: client.messages.batches.create(requests=[{"custom_id": "a", "params": ask("plain")}]))
    seen["files"] = failure(lambda: client.beta.files.upload(file=("a.txt", b"x" * 200_000, "text/plain")))
    print(json.dumps({"seen": seen, "request_ids": ids}))


if __name__ == "__main__":
    main()
