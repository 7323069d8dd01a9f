"""langchain-openai through the gateway, whatever the provider speaks.

It keeps of an answer only what OpenAI's own API has: thoughts and their signatures come back to the gateway in the ids of
tool calls or not at all.
"""

import asyncio
from typing import Literal

import openai
import pytest
from conftest import options
from dialects import DIALECTS, OPENAI, THINKERS
from langchain_core.messages import AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from material import PIXEL, Event


@pytest.fixture
def chat(gateway):
    """A chat with a model; no request retried."""
    return lambda model, **more: ChatOpenAI(model=model, **options(gateway), **more)


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
        assert isinstance(chunk, AIMessageChunk)
        whole = chunk if whole is None else whole + chunk
    return whole


def test_a_chat_is_answered_with_its_usage(chat, dialect):
    answer = chat(dialect.model).invoke([SystemMessage("Be short."), HumanMessage("Hello")])
    assert "Hello" in answer.content
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.response_metadata["model_name"] == dialect.model.split("/")[1]
    assert answer.usage_metadata["total_tokens"] > answer.usage_metadata["output_tokens"] > 0


def test_a_stream_is_the_same_answer_with_the_same_usage(chat, dialect):
    model = chat(dialect.model, stream_usage=True)
    chunks = list(model.stream("Hello"))
    whole = model.invoke("Hello")
    said = assembled(chunks)
    assert len(chunks) > 4
    assert said.content == whole.content
    assert said.usage_metadata["total_tokens"] == whole.usage_metadata["total_tokens"]
    assert said.response_metadata["finish_reason"] == "stop"


def test_many_questions_are_answered_at_once(chat):
    async def ask_all():
        # One event loop: langchain keeps its connections from chat to chat.
        return await asyncio.gather(*(chat(dialect.model).abatch(names) for dialect in DIALECTS))

    names = [f"caller-{number}" for number in range(8)]
    for answers in asyncio.run(ask_all()):
        assert all(name in answer.content for name, answer in zip(names, answers))


@pytest.mark.parametrize("streamed", [False, True])
def test_tools_are_called_in_parallel_and_over_turns(chat, dialect, streamed):
    model = chat(dialect.model).bind_tools([*TOOLS.values()])
    ask = (lambda messages: assembled(model.stream(messages))) if streamed else model.invoke
    messages = []
    for question in ["In parallel, please", "Once more, in parallel"]:
        messages.append(HumanMessage(question))
        called = ask(messages)
        calls = [(call["name"], call["args"]) for call in called.tool_calls]
        assert calls == [("weather", {"city": "Paris"}), ("clock", {})]
        messages += [called, *results(called)]
        said = ask(messages)
        assert "sunny in Paris" in said.content and "noon" in said.content
        messages.append(said)


@pytest.mark.parametrize("thinker", THINKERS)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_thinking_model_takes_its_tools_results(chat, thinker, streamed):
    model = chat(thinker, reasoning_effort="high").bind_tools([*TOOLS.values()])
    ask = (lambda messages: assembled(model.stream(messages))) if streamed else model.invoke
    messages = [HumanMessage("In parallel, please")]
    called = ask(messages)
    assert len(called.tool_calls) == 2
    said = ask([*messages, called, *results(called)])
    assert "sunny in Paris" in said.content and "noon" in said.content


def test_reasoning_is_counted(chat):
    for model in [*OPENAI.silent_thinkers, *(model for model in THINKERS if not model.startswith("ollama/"))]:
        answer = chat(model, reasoning_effort="low").invoke("Hello")
        assert answer.usage_metadata["output_token_details"]["reasoning"] > 0, model


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output_fits_its_schema(chat, dialect, method):
    answer = chat(dialect.model).with_structured_output(Event, method=method, include_raw=True).invoke("Answer in JSON.")
    if method == "json_mode":
        # Nothing tells the model the schema then: an object it must be, and is.
        assert answer["raw"].content.startswith("{")
    else:
        assert isinstance(answer["parsed"], Event)


def test_an_image_arrives(chat, dialect):
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    assert "I see 1 image" in chat(dialect.model).invoke([HumanMessage(content)]).content


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status-400", openai.BadRequestError),
        ("status-404", openai.NotFoundError),
        ("context-length", openai.BadRequestError),
        ("status-429", openai.RateLimitError),
        ("status-503", openai.InternalServerError),
        ("status-401", openai.InternalServerError),
    ],
)
def test_failures_are_the_sdks_exceptions(chat, dialect, fault, error):
    with pytest.raises(error):
        chat(dialect.fault(fault)).invoke("Hello")
    with pytest.raises(error):
        list(chat(dialect.fault(fault)).stream("Hello"))


def test_a_stream_that_breaks_is_an_exception(chat, dialect):
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in chat(dialect.fault("error-after-5")).stream("Hello"):
            seen.append(chunk.content)
    assert any(seen)
