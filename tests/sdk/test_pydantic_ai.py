"""pydantic-ai's agents through the gateway, whatever the provider speaks, and whichever way they ask.

The agent makes the turns by itself: it calls the tools, brings back their results and what was thought, and ends when the
answer has the type that was asked for.
"""

import asyncio
import base64
from contextlib import asynccontextmanager
from typing import Literal

import anthropic
import openai
import pytest
from conftest import options
from dialects import ANTHROPIC, GEMINI, THINKERS
from material import PNG, Event
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, NativeOutput, ThinkingPart, ToolOutput
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.anthropic import AnthropicModel, AnthropicModelSettings
from pydantic_ai.models.openai import (
    OpenAIChatModel,
    OpenAIChatModelSettings,
    OpenAIResponsesModel,
    OpenAIResponsesModelSettings,
)
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


class Chat:
    """Asks for chat completions."""

    @asynccontextmanager
    async def model(self, gateway, name):
        async with openai.AsyncOpenAI(**options(gateway)) as client:
            yield OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client))

    def thinking(self, name):
        return OpenAIChatModelSettings(openai_reasoning_effort="high")

    def check(self, kind):
        """Whether it knows this kind of output."""


class Messages:
    """Asks for messages."""

    @asynccontextmanager
    async def model(self, gateway, name):
        async with anthropic.AsyncAnthropic(**options(gateway) | {"base_url": gateway.origin}) as client:
            yield AnthropicModel(name, provider=AnthropicProvider(anthropic_client=client))

    def thinking(self, name):
        if name == ANTHROPIC.thinkers[-1]:
            return AnthropicModelSettings(anthropic_thinking={"type": "adaptive", "display": "summarized"})
        return AnthropicModelSettings(anthropic_thinking={"type": "enabled", "budget_tokens": 1024}, max_tokens=4096)

    def check(self, kind):
        if kind is NativeOutput:
            pytest.skip("it asks for schemas of those models only that it knows by name")


class Responses:
    """Asks for responses."""

    @asynccontextmanager
    async def model(self, gateway, name):
        async with openai.AsyncOpenAI(**options(gateway)) as client:
            yield OpenAIResponsesModel(name, provider=OpenAIProvider(openai_client=client))

    def thinking(self, name):
        return OpenAIResponsesModelSettings(openai_reasoning_effort="high", openai_reasoning_summary="detailed")

    def check(self, kind):
        """Whether it knows this kind of output."""


@pytest.fixture(params=[Chat(), Messages(), Responses()], ids=lambda api: type(api).__name__.lower())
def api(request):
    """Each way to ask in turn."""
    return request.param


@pytest.fixture
def run(gateway, api):
    """Runs an agent once, streamed or not, in an event loop of its own."""

    def run(name, prompt, streamed=False, history=None, tools=(), **more):
        async def go():
            async with api.model(gateway, name) as model:
                agent = Agent(model, tools=tools, **more)
                if not streamed:
                    return await agent.run(prompt, message_history=history)
                async with agent.run_stream(prompt, message_history=history) as result:
                    output = await result.get_output()
                    return Streamed(output, result.all_messages(), result.usage)

        return asyncio.run(go())

    return run


class Streamed:
    """What a streamed run leaves, in the shape of one that was not."""

    def __init__(self, output, messages, usage):
        self.output, self.messages, self.usage = output, messages, usage

    def all_messages(self):
        return self.messages


def weather(city: Literal["Paris"]) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


def clock() -> str:
    """The time of day."""
    return "noon"


def tokens(result):
    return result.usage.input_tokens, result.usage.output_tokens


def thoughts(result):
    responses = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    return [part for response in responses for part in response.parts if isinstance(part, ThinkingPart)]


@pytest.mark.parametrize("streamed", [False, True])
def test_an_agent_answers_and_counts(run, dialect, streamed):
    result = run(dialect.model, "Hello", streamed, instructions="Be short.")
    assert "Hello" in result.output
    assert all(tokens(result))
    response = result.all_messages()[-1]
    assert response.model_name == dialect.model.split("/")[1]
    assert response.finish_reason == "stop"


@pytest.mark.parametrize("streamed", [False, True])
def test_an_agent_calls_its_tools_over_turns(run, dialect, streamed):
    first = run(dialect.model, "In parallel, please", streamed, tools=[weather, clock])
    assert "sunny in Paris" in first.output and "noon" in first.output
    second = run(dialect.model, "Again, in parallel", streamed, first.all_messages(), [weather, clock])
    assert "sunny in Paris" in second.output and "noon" in second.output


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("thinker", THINKERS)
def test_an_agent_that_thinks_calls_its_tools_over_turns(run, api, thinker, streamed):
    more = {"tools": [weather, clock], "model_settings": api.thinking(thinker)}
    first = run(thinker, "In parallel, please", streamed, **more)
    # One that was not shown has its signature only.
    shown = [thought.content for thought in thoughts(first) if thought.content]
    assert shown and all("In parallel" in thought for thought in shown)
    assert "sunny in Paris" in first.output
    second = run(thinker, "Again, in parallel", streamed, first.all_messages(), **more)
    assert "noon" in second.output


@pytest.mark.parametrize("kind", [ToolOutput, NativeOutput])
@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_has_the_type_that_was_asked_for(run, api, dialect, kind, streamed):
    api.check(kind)
    assert isinstance(run(dialect.model, "Hello", streamed, output_type=kind(Event)).output, Event)


@pytest.mark.parametrize("kind", [ToolOutput, NativeOutput])
def test_an_agent_with_tools_ends_with_the_type_that_was_asked_for(run, api, dialect, kind):
    api.check(kind)
    if kind is ToolOutput and not dialect.forces_tools:
        pytest.skip("the end is a call that must be demanded, and there is no such field")
    # Before its third generation Gemini takes tools or a schema.
    model = dialect.thinkers[-1] if dialect is GEMINI else dialect.model
    assert isinstance(run(model, "Hello", tools=[weather], output_type=kind(Event)).output, Event)


def test_an_image_arrives(run, dialect):
    image = BinaryContent(base64.b64decode(PNG), media_type="image/png")
    assert "I see 1 image" in run(dialect.model, ["What is this?", image]).output


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("status-400", 400),
        ("status-401", 502),
        ("status-404", 404),
        ("status-413", 413),
        ("status-429", 429),
        ("status-500", 500),
        ("status-503", 503),
        ("context-length", 400),
    ],
)
def test_failures_are_errors_with_their_status(run, dialect, fault, status, streamed):
    with pytest.raises(ModelHTTPError) as caught:
        run(dialect.fault(fault), "Hello", streamed)
    assert caught.value.status_code == status
    if fault == "context-length":
        error = caught.value.body
        assert (error.get("code") or error["error"]["type"]) in ("context_length_exceeded", "invalid_request_error")


def test_a_stream_that_breaks_is_an_error(run, dialect):
    with pytest.raises(Exception, match="again|Overloaded"):
        run(dialect.fault("error-after-5"), "Hello", streamed=True)
