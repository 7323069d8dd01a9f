"""What applications that are older than chats do with the official SDK, whatever the provider speaks."""

import openai
import pytest


def test_a_prompt_is_completed_with_its_usage(client, dialect):
    answer = client.completions.create(model=dialect.model, prompt="Hello", max_tokens=64)
    assert answer.object == "text_completion" and answer.id and answer.created > 1_600_000_000
    assert answer.model == dialect.model.split("/")[1]
    assert "Hello" in answer.choices[0].text and answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_a_stream_says_the_same(client, dialect):
    options = {"model": dialect.model, "prompt": "Hello", "max_tokens": 64}
    whole = client.completions.create(**options)
    chunks = list(client.completions.create(**options, stream=True, stream_options={"include_usage": True}))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole.choices[0].text
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
    assert reasons[-1] == "stop" and set(reasons[:-1]) == {None}
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage
    assert {chunk.object for chunk in chunks} == {"text_completion"}


def test_what_a_chat_cannot_say_is_refused(client, dialect):
    for wish in ({"prompt": ["Hello", "again"]}, {"prompt": [1, 2]}, {"prompt": "Hello", "suffix": "!"}):
        with pytest.raises(openai.BadRequestError) as refused:
            client.completions.create(model=dialect.model, **wish)
        assert refused.value.param in wish
