"""What applications do with the Responses of OpenAI's SDK, whatever the provider speaks."""

import json

import openai
import pydantic
import pytest
from dialects import ANTHROPIC, GEMINI, OLLAMA, OPENAI
from material import WEATHER

HELLO = "Hello"
QUESTION = "How is the weather?"
TOOL = {"type": "function", "strict": True} | {
    name: WEATHER["function"][name] for name in ("name", "description", "parameters")
}
#: Those for whom the request is translated.
OTHERS = (ANTHROPIC, GEMINI, OLLAMA)


class Place(pydantic.BaseModel):
    city: str


def ask(client, streamed, **options):
    """The response, or what the SDK makes of its events."""
    if not streamed:
        return client.responses.create(**options)
    with client.responses.stream(**options) as stream:
        return stream.get_final_response()


@pytest.mark.parametrize("streamed", [False, True])
def test_a_response_is_answered_with_its_usage(client, dialect, streamed):
    response = ask(client, streamed, model=dialect.model, input=HELLO, instructions="Be short.")
    assert (response.object, response.status) == ("response", "completed")
    assert response.id.startswith("resp_") and response.model == dialect.model.split("/")[1]
    assert "Hello" in response.output_text
    assert response.usage.input_tokens > 0 and response.usage.output_tokens > 0
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_every_answer_says_who_served_it(client, dialect):
    raw = client.responses.with_raw_response.create(model=dialect.model, input=HELLO)
    assert raw.headers["x-dragoman-provider"] == dialect.provider
    assert raw.parse().output_text


def test_events_come_in_the_order_that_the_sdk_documents(client, dialect):
    events = list(client.responses.create(model=dialect.model, input=HELLO, stream=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"] and kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == sorted({event.sequence_number for event in events})
    told = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert told == events[-1].response.output_text


@pytest.mark.parametrize("streamed", [False, True])
def test_a_loop_of_tools_goes_on_with_what_was_thought(client, dialect, streamed):
    conversation = [{"role": "user", "content": QUESTION}]
    model = dialect.thinkers[0] if dialect.thinkers else dialect.model
    options = {"model": model, "tools": [TOOL], "store": False}
    if dialect.thinkers:
        options["reasoning"] = {"effort": "low", "summary": "auto"}
    first = ask(client, streamed, input=conversation, **options)
    calls = [item for item in first.output if item.type == "function_call"]
    assert calls and "city" in json.loads(calls[0].arguments), first
    conversation += [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in first.output]
    conversation += [
        {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"} for call in calls
    ]
    second = ask(client, streamed, input=conversation, **options)
    assert second.status == "completed" and second.output_text, second


def test_a_forced_tool_is_called(client, dialect):
    if not dialect.forces_tools:
        pytest.skip("it cannot be made to")
    response = client.responses.create(
        model=dialect.model, input=HELLO, tools=[TOOL], tool_choice={"type": "function", "name": TOOL["name"]}
    )
    assert [item.name for item in response.output if item.type == "function_call"] == [TOOL["name"]]


def test_an_answer_of_a_shape_is_parsed(client, dialect):
    response = client.responses.parse(model=dialect.model, input="Where?", text_format=Place)
    assert isinstance(response.output_parsed, Place)


@pytest.mark.parametrize("other", OTHERS, ids=str)
def test_what_is_kept_nowhere_is_refused_by_its_name(client, other):
    for options in ({"previous_response_id": "resp_1"}, {"store": True}, {"background": True}, {"conversation": "conv_1"}):
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model=other.model, input=HELLO, **options)
        assert refused.value.param == next(iter(options))


@pytest.mark.parametrize("streamed", [False, True])
def test_what_openai_keeps_is_found_again_goes_on_and_is_deleted(client, streamed):
    first = ask(client, streamed, model=OPENAI.model, input=HELLO)
    assert client.responses.retrieve(first.id).id == first.id
    assert client.responses.input_items.list(first.id).data
    second = ask(client, streamed, model=OPENAI.model, input=HELLO, previous_response_id=first.id)
    assert second.previous_response_id == first.id != second.id
    assert client.responses.retrieve(second.id).previous_response_id == first.id
    for response in (second, first):
        client.responses.delete(response.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(response.id)


def test_what_another_key_was_answered_is_unknown(client, client_with):
    own = client.responses.create(model=OPENAI.model, input=HELLO)
    other = client_with("narrow")
    for reads in (other.responses.retrieve, other.responses.delete):
        with pytest.raises(openai.NotFoundError):
            reads(own.id)
    for id in (own.id + "0", own.id.rpartition("_")[0], "resp_1"):
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(id)
        with pytest.raises(openai.BadRequestError) as refused:
            client.responses.create(model=OPENAI.model, input=HELLO, previous_response_id=id)
        assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")
    assert client.responses.retrieve(own.id).id == own.id


def test_an_error_is_the_sdk_s_own(client, dialect):
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model=dialect.fault("status-429"), input=HELLO)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="nobody/knows", input=HELLO)
