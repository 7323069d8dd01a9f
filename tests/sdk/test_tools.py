"""Tools and structured answers with the official SDK: what a model calls, is told and says in the end."""

import json

import openai
import pytest
from material import CLOCK, HELLO, WEATHER, Event

QUESTION = [{"role": "user", "content": "How is the weather?"}]
PARALLEL = [{"role": "user", "content": "In parallel, please"}]


def ask(client, streamed, **options):
    """The answer, or what the SDK makes of its chunks."""
    if not streamed:
        return client.chat.completions.create(**options)
    with client.chat.completions.stream(**options) as stream:
        for _ in stream:
            pass
        return stream.get_final_completion()


def result(call, content):
    return {"role": "tool", "tool_call_id": call.id, "content": content}


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_makes_its_round_trip(client, dialect, streamed):
    options = {"model": dialect.model, "tools": [WEATHER]}
    first = ask(client, streamed, messages=QUESTION, **options).choices[0]
    assert first.finish_reason == "tool_calls"
    [call] = first.message.tool_calls
    assert call.type == "function" and call.id
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": "Paris"}

    messages = [*QUESTION, first.message, result(call, "sunny")]
    second = ask(client, streamed, messages=messages, **options).choices[0]
    assert "sunny" in second.message.content
    assert second.finish_reason == "stop"


@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_calls_arrive_apart_and_their_results_together(client, dialect, streamed):
    options = {"model": dialect.model, "tools": [WEATHER, CLOCK]}
    first = ask(client, streamed, messages=PARALLEL, **options).choices[0]
    calls = first.message.tool_calls
    assert [call.function.name for call in calls] == ["weather", "clock"]
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Paris"}, {}]
    assert len({call.id for call in calls}) == 2

    results = [result(calls[1], "noon"), result(calls[0], [{"type": "text", "text": "sunny"}])]
    second = ask(client, streamed, messages=[*PARALLEL, first.message, *results], **options).choices[0]
    assert "sunny" in second.message.content and "noon" in second.message.content


def test_one_call_at_a_time_can_be_asked_for(client, dialect):
    answer = client.chat.completions.with_raw_response.create(
        model=dialect.model, messages=PARALLEL, tools=[WEATHER, CLOCK], parallel_tool_calls=False
    )
    calls = answer.parse().choices[0].message.tool_calls
    # Not every API can be told; then the answer says so.
    assert len(calls) == 1 or "parallel_tool_calls" in answer.headers["x-dragoman-dropped"]


def test_a_conversation_of_several_calls_goes_on(client, dialect):
    options = {"model": dialect.model, "tools": [WEATHER, CLOCK]}
    messages = [{"role": "system", "content": "Be short."}]
    for turn in range(3):
        messages.append({"role": "user", "content": f"Turn {turn}"})
        called = client.chat.completions.create(messages=messages, **options).choices[0].message
        messages += [called, result(called.tool_calls[0], f"result {turn}")]
        said = client.chat.completions.create(messages=messages, **options).choices[0].message
        assert f"result {turn}" in said.content
        messages.append(said)


def test_a_tool_can_be_demanded_named_and_forbidden(client, dialect):
    def choose(choice):
        answer = client.chat.completions.create(
            model=dialect.model, messages=QUESTION, tools=[WEATHER, CLOCK], tool_choice=choice
        )
        return [call.function.name for call in answer.choices[0].message.tool_calls or []]

    assert choose({"type": "function", "function": {"name": "clock"}}) == ["clock"]
    assert choose("none") == []
    if dialect.forces_tools:
        assert choose("required") == ["weather"]


@pytest.mark.parametrize("streamed", [False, True])
def test_structured_output_fits_its_schema(client, dialect, streamed):
    if streamed:
        with client.chat.completions.stream(model=dialect.model, messages=HELLO, response_format=Event) as stream:
            for _ in stream:
                pass
            answer = stream.get_final_completion()
    else:
        answer = client.chat.completions.parse(model=dialect.model, messages=HELLO, response_format=Event)
    assert isinstance(answer.choices[0].message.parsed, Event)
    assert answer.choices[0].finish_reason == "stop"
    assert not answer.choices[0].message.tool_calls


def test_the_helpers_of_the_sdk_parse_the_arguments_of_tools(client, dialect):
    tools = [openai.pydantic_function_tool(Event)]
    answer = client.chat.completions.parse(model=dialect.model, messages=HELLO, tools=tools)
    assert isinstance(answer.choices[0].message.tool_calls[0].function.parsed_arguments, Event)
