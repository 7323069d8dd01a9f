"""What applications do with the official SDK, through the gateway and back."""

import asyncio
import base64
import json
import time

import pytest
from conftest import PAUSE_SECONDS
from pydantic import BaseModel

MODEL = "openai/gpt-4o-mini"
HELLO = [{"role": "user", "content": "Hello"}]

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "enum": ["Paris"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def test_a_chat_is_answered_with_its_usage(client):
    answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.object == "chat.completion"
    assert "Hello" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_every_answer_says_who_served_it(client):
    answer = client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
    assert answer.headers["x-dragoman-provider"] == "openai"
    assert answer.headers["x-dragoman-model"] == "gpt-4o-mini"
    assert answer.headers["x-dragoman-attempts"] == "openai/gpt-4o-mini=200"
    assert answer.headers["x-request-id"]
    assert answer.parse().choices[0].message.role == "assistant"


def test_the_first_chunk_of_a_stream_comes_while_the_provider_still_sends(client):
    started = time.monotonic()
    times, text, reasons = [], "", []
    for chunk in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
        times.append(time.monotonic() - started)
        assert chunk.choices, "the client did not ask for the usage"
        text += chunk.choices[0].delta.content or ""
        reasons.append(chunk.choices[0].finish_reason)
    assert "Hello" in text
    assert reasons[-1] == "stop"
    # The provider pauses before each event; a buffered stream would come all at once.
    assert times[-1] - times[0] > (len(times) - 2) * PAUSE_SECONDS * 0.8


def test_a_stream_ends_with_the_usage_when_asked(client):
    chunks = list(
        client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_the_helper_for_streams_assembles_the_same_message(client):
    with client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "content.delta" in kinds and "content.done" in kinds
    whole = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert final.choices[0].message.content == whole.choices[0].message.content


def test_a_streamed_answer_can_be_read_raw(client):
    with client.chat.completions.with_streaming_response.create(model=MODEL, messages=HELLO, stream=True) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert all(line.startswith("data: ") for line in lines)


def test_leaving_a_stream_early_leaves_the_gateway_well(client):
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    next(iter(stream))
    stream.close()
    assert client.chat.completions.create(model=MODEL, messages=HELLO).choices


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_makes_its_round_trip(client, streamed):
    messages = [{"role": "user", "content": "How is the weather?"}]
    if streamed:
        with client.chat.completions.stream(model=MODEL, messages=messages, tools=[WEATHER]) as stream:
            for _ in stream:
                pass
            first = stream.get_final_completion()
    else:
        first = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert first.choices[0].finish_reason == "tool_calls"
    call = first.choices[0].message.tool_calls[0]
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": "Paris"}

    asked = {
        "role": "assistant",
        "tool_calls": [{"id": call.id, "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    }
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    second = client.chat.completions.create(model=MODEL, messages=[*messages, asked, result], tools=[WEATHER])
    assert "sunny" in second.choices[0].message.content


def test_parallel_tool_calls_arrive_apart(client):
    clock = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}
    messages = [{"role": "user", "content": "In parallel, please"}]
    answer = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER, clock])
    assert [call.function.name for call in answer.choices[0].message.tool_calls] == ["weather", "clock"]


def test_structured_output_fits_its_schema(client):
    class Event(BaseModel):
        name: str
        participants: list[str]
        seats: int

    answer = client.chat.completions.parse(model=MODEL, messages=HELLO, response_format=Event)
    assert isinstance(answer.choices[0].message.parsed, Event)


def test_a_refusal_is_a_refusal(client):
    answer = client.chat.completions.create(model=f"{MODEL}-sim-refusal", messages=HELLO)
    assert answer.choices[0].message.refusal
    assert answer.choices[0].message.content is None


def test_images_arrive_as_url_and_as_data(client):
    # The smallest PNG: one pixel.
    pixel = base64.b64encode(
        base64.b64decode(
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
        )
    ).decode()
    images = ["https://images.test/cat.png", f"data:image/png;base64,{pixel}"]
    content = [{"type": "text", "text": "What is this?"}]
    content += [{"type": "image_url", "image_url": {"url": url}} for url in images]
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert "I see 2 images" in answer.choices[0].message.content


def test_text_in_any_script_survives_both_ways(client):
    text = "Ωμέγα 漢字 🦀 \u2028 \"quoted\" \\ \u0000 é"
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}])
    assert text in answer.choices[0].message.content
    chunks = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": text}], stream=True)
    assert text in "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_the_async_client_streams_side_by_side(async_client):
    async def stream(client, name):
        chunks = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": name}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    async def run():
        async with async_client() as client:
            names = [f"caller-{number}" for number in range(16)]
            texts = await asyncio.gather(*(stream(client, name) for name in names))
            whole = await client.chat.completions.create(model=MODEL, messages=HELLO)
        assert all(name in text for name, text in zip(names, texts))
        assert whole.choices[0].finish_reason == "stop"

    asyncio.run(run())
