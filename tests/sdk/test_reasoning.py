"""Thinking: asked for and shown in OpenAI's words, and brought back by the SDK's own history.

The simulated providers know their own signatures. The later models insist on them, in the turn that calls tools, and none
takes one that was cut, mixed up or made up: so a second turn that is answered shows that the first came back whole.
"""

import json

import pytest
from dialects import DIALECTS, OPENAI, THINKERS
from material import CLOCK, HELLO, WEATHER

QUESTION = [{"role": "user", "content": "In parallel: how is the weather, and what time is it?"}]


def ask(client, streamed, **options):
    if not streamed:
        return client.chat.completions.create(**options)
    with client.chat.completions.stream(**options) as stream:
        for _ in stream:
            pass
        return stream.get_final_completion()


@pytest.fixture(params=THINKERS)
def thinker(request):
    return request.param


def test_thinking_can_be_asked_of_everyone_and_is_counted(client):
    for model in [*OPENAI.silent_thinkers, *THINKERS]:
        answer = client.chat.completions.create(model=model, messages=HELLO, reasoning_effort="low")
        assert answer.choices[0].finish_reason == "stop", model
        if not model.startswith("ollama/"):
            assert answer.usage.completion_tokens_details.reasoning_tokens > 0, model
        assert answer.usage.completion_tokens >= 64, model


def test_thoughts_are_shown_apart_from_the_answer(client, thinker):
    message = client.chat.completions.create(model=thinker, messages=HELLO, reasoning_effort="high").choices[0].message
    assert message.reasoning_content == "The user said: Hello\n\nI will answer that I am simulated."
    assert "Hello" in message.content and "I will answer" not in message.content
    if thinker.startswith("anthropic/"):
        [block] = message.thinking_blocks
        assert block["type"] == "thinking" and block["thinking"] == message.reasoning_content and block["signature"]


def test_thoughts_stream_before_the_answer(client, thinker):
    order, thought, said = [], "", ""
    for chunk in client.chat.completions.create(model=thinker, messages=HELLO, reasoning_effort="high", stream=True):
        delta = chunk.choices[0].delta
        thinking = getattr(delta, "reasoning_content", None) or ""
        order += ["thought"] if thinking else []
        order += ["said"] if delta.content else []
        thought, said = thought + thinking, said + (delta.content or "")
    assert thought == "The user said: Hello\n\nI will answer that I am simulated."
    assert "Hello" in said
    assert order == sorted(order, reverse=True) and order.count("thought") > 1


@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_can_be_turned_off(client, thinker, streamed):
    if thinker.startswith("gemini/gemini-3"):
        pytest.skip("it cannot: the model always thinks")
    message = ask(client, streamed, model=thinker, messages=HELLO, reasoning_effort="none").choices[0].message
    assert not getattr(message, "reasoning_content", None)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("history", ["whole", "plain"])
def test_a_thinking_model_takes_its_tools_results(client, thinker, streamed, history):
    """`plain`: a client that knows OpenAI's fields only brings nothing else back but the calls and their ids."""
    options = {"model": thinker, "tools": [WEATHER, CLOCK], "reasoning_effort": "high"}
    messages = list(QUESTION)
    message = ask(client, streamed, messages=messages, **options).choices[0].message
    assert message.reasoning_content
    assert [call.function.name for call in message.tool_calls] == ["weather", "clock"]
    messages.append(message if history == "whole" else plain(message))
    for call in message.tool_calls:
        messages.append({"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name} done"})
    second = ask(client, streamed, messages=messages, **options).choices[0]
    assert "weather done" in second.message.content and "clock done" in second.message.content

    messages += [second.message if history == "whole" else plain(second.message), {"role": "user", "content": "Thanks"}]
    assert ask(client, streamed, messages=messages, **options).choices[0].message.tool_calls


def plain(message):
    kept = {"role": "assistant", "content": message.content}
    if message.tool_calls:
        kept["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": json.dumps(json.loads(call.function.arguments))},
            }
            for call in message.tool_calls
        ]
    return kept


def test_what_one_provider_thought_is_not_told_to_another(client, thinker):
    options = {"tools": [WEATHER, CLOCK], "reasoning_effort": "high"}
    message = client.chat.completions.create(model=thinker, messages=QUESTION, **options).choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": "done"} for call in message.tool_calls]
    messages = [*QUESTION, message, *results]
    for dialect in DIALECTS:
        for model in dialect.thinkers + dialect.silent_thinkers:
            second = client.chat.completions.create(model=model, messages=messages, **options).choices[0]
            assert "done" in second.message.content, model
