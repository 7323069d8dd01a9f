"""langchain-anthropic through the gateway, whatever the provider speaks."""

from typing import Literal

import anthropic
import pytest
from dialects import ANTHROPIC, GEMINI, OLLAMA
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from material import PNG, Event

THINKERS = (ANTHROPIC.thinkers[0], *GEMINI.thinkers, *OLLAMA.thinkers)


@pytest.fixture
def chat(gateway):
    """A chat with a model; no request retried."""
    common = {"base_url": gateway.origin, "api_key": gateway.keys["full"], "max_retries": 0, "timeout": 30}
    return lambda model, **more: ChatAnthropic(model=model, **common | {"max_tokens": 256} | more)


@tool
def weather(city: Literal["Paris"]) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@tool
def clock() -> str:
    """The time of day."""
    return "noon"


TOOLS = {"weather": weather, "clock": clock}


def results(message):
    calls = message.tool_calls
    return [ToolMessage(TOOLS[call["name"]].invoke(call["args"]), tool_call_id=call["id"]) for call in calls]


def assembled(chunks):
    whole = None
    for chunk in chunks:
        whole = chunk if whole is None else whole + chunk
    return whole


def asking(model, streamed):
    return (lambda messages: assembled(model.stream(messages))) if streamed else model.invoke


@pytest.mark.parametrize("streamed", [False, True])
def test_a_chat_is_answered_with_its_usage(chat, dialect, streamed):
    answer = asking(chat(dialect.model), streamed)([SystemMessage("Be short."), HumanMessage("Hello")])
    assert "Hello" in answer.text
    assert answer.response_metadata["stop_reason"] == "end_turn"
    assert answer.usage_metadata["total_tokens"] > answer.usage_metadata["output_tokens"] > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called_in_parallel_and_over_turns(chat, dialect, streamed):
    ask = asking(chat(dialect.model).bind_tools([*TOOLS.values()]), streamed)
    messages = []
    for question in ["In parallel, please", "Once more, in parallel"]:
        messages.append(HumanMessage(question))
        called = ask(messages)
        calls = [(call["name"], call["args"]) for call in called.tool_calls]
        assert calls == [("weather", {"city": "Paris"}), ("clock", {})]
        messages += [called, *results(called)]
        said = ask(messages)
        assert "sunny in Paris" in said.text and "noon" in said.text
        messages.append(said)


@pytest.mark.parametrize("thinker", THINKERS)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_thinking_model_takes_its_tools_results(chat, thinker, streamed):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    ask = asking(chat(thinker, thinking=thinking, max_tokens=4096).bind_tools([*TOOLS.values()]), streamed)
    messages = [HumanMessage("In parallel, please")]
    called = ask(messages)
    assert called.content[0]["type"] == "thinking" and len(called.tool_calls) == 2
    said = ask([*messages, called, *results(called)])
    assert "sunny in Paris" in said.text and "noon" in said.text


def test_structured_output_fits_its_schema(chat, dialect):
    if not dialect.forces_tools:
        pytest.skip("the answer is a call that must be demanded, and there is no such field")
    assert isinstance(chat(dialect.model).with_structured_output(Event).invoke("Hello"), Event)


def test_an_image_arrives(chat, dialect):
    image = {"type": "image", "base64": PNG, "mime_type": "image/png"}
    assert "I see 1 image" in chat(dialect.model).invoke([HumanMessage([{"type": "text", "text": "What?"}, image])]).text


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status-400", anthropic.BadRequestError),
        ("status-429", anthropic.RateLimitError),
        ("status-503", anthropic.InternalServerError),
    ],
)
def test_failures_are_the_sdks_exceptions(chat, dialect, fault, error):
    with pytest.raises(error):
        chat(dialect.fault(fault)).invoke("Hello")
    with pytest.raises(error):
        list(chat(dialect.fault(fault)).stream("Hello"))
