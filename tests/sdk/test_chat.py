"""What applications do with the official SDK, through the gateway and back, whatever the provider speaks."""

import asyncio
import json
import time

import openai
import pytest
from dialects import ANTHROPIC, DIALECTS, GEMINI, OPENAI
from material import HELLO, PDF, PIXEL

PAUSE_SECONDS = 0.1


def text_of(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_chat_is_answered_with_its_usage(client, dialect):
    answer = client.chat.completions.create(model=dialect.model, messages=HELLO)
    assert answer.object == "chat.completion"
    assert answer.id and answer.created > 1_600_000_000
    assert answer.model == dialect.model.split("/")[1]
    assert "Hello" in answer.choices[0].message.content
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


def test_every_answer_says_who_served_it(client, dialect):
    model = dialect.model.split("/")[1]
    answer = client.chat.completions.with_raw_response.create(model=dialect.model, messages=HELLO)
    assert answer.headers["x-dragoman-provider"] == dialect.provider
    assert answer.headers["x-dragoman-model"] == model
    assert answer.headers["x-dragoman-attempts"] == f"{dialect.provider}/{model}=200"
    assert answer.headers["x-request-id"]
    assert answer.parse().choices[0].message.role == "assistant"


def test_a_conversation_with_every_role_arrives(client, dialect):
    messages = [
        {"role": "system", "content": "Be short."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": "One", "name": "ada"},
        {"role": "assistant", "content": "Two"},
        {"role": "user", "content": [{"type": "text", "text": "Three"}, {"type": "text", "text": "Four"}]},
    ]
    answer = client.chat.completions.create(model=dialect.model, messages=messages)
    assert "Three" in answer.choices[0].message.content and "Four" in answer.choices[0].message.content


def test_the_first_chunk_of_a_stream_comes_while_the_provider_still_sends(client, dialect):
    model = dialect.fault(f"slow-{PAUSE_SECONDS * 1000:.0f}")
    started = time.monotonic()
    times, text, reasons = [], "", []
    for chunk in client.chat.completions.create(model=model, messages=HELLO, stream=True):
        times.append(time.monotonic() - started)
        assert chunk.choices, "the client did not ask for the usage"
        text += chunk.choices[0].delta.content or ""
        reasons.append(chunk.choices[0].finish_reason)
    assert "Hello" in text
    assert reasons[-1] == "stop" and set(reasons[:-1]) == {None}
    # The provider pauses before each event; a buffered stream would come all at once.
    assert times[-1] - times[0] > 4 * PAUSE_SECONDS


def test_a_stream_ends_with_the_usage_when_asked(client, dialect):
    chunks = list(
        client.chat.completions.create(
            model=dialect.model, messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({(chunk.id, chunk.model, chunk.object) for chunk in chunks}) == 1
    whole = client.chat.completions.create(model=dialect.model, messages=HELLO)
    assert chunks[-1].usage == whole.usage


def test_the_helper_for_streams_assembles_the_same_message(client, dialect):
    with client.chat.completions.stream(model=dialect.model, messages=HELLO) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "content.delta" in kinds and "content.done" in kinds
    whole = client.chat.completions.create(model=dialect.model, messages=HELLO)
    assert final.choices[0].message.content == whole.choices[0].message.content
    assert final.choices[0].message.role == "assistant"


def test_a_streamed_answer_can_be_read_raw(client, dialect):
    create = client.chat.completions.with_streaming_response.create
    with create(model=dialect.model, messages=HELLO, stream=True) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-length" not in answer.headers
        lines = [line for line in answer.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert all(line.startswith("data: ") for line in lines)


def test_leaving_a_stream_early_leaves_the_gateway_well(client, dialect):
    stream = client.chat.completions.create(model=dialect.model, messages=HELLO, stream=True)
    next(iter(stream))
    stream.close()
    assert client.chat.completions.create(model=dialect.model, messages=HELLO).choices


@pytest.mark.parametrize("cuts", ["chunks-1", "cuts-7", "comments"])
def test_a_stream_reads_the_same_however_it_is_cut(client, dialect, cuts):
    messages = [{"role": "user", "content": "Grüße 漢字 🦀"}]
    chunks = client.chat.completions.create(model=dialect.fault(cuts), messages=messages, stream=True)
    assert "Grüße 漢字 🦀" in text_of(chunks)


def test_text_in_any_script_survives_both_ways(client, dialect):
    text = "Ωμέγα 漢字 🦀 \u2028 \"quoted\" \\ \u0000 é"
    messages = [{"role": "user", "content": text}]
    answer = client.chat.completions.create(model=dialect.model, messages=messages)
    assert text in answer.choices[0].message.content
    assert text in text_of(client.chat.completions.create(model=dialect.model, messages=messages, stream=True))


@pytest.mark.parametrize("stream", [False, True])
def test_a_limit_ends_the_answer_with_its_reason(client, dialect, stream):
    answer = client.chat.completions.create(
        model=dialect.model, messages=HELLO, max_completion_tokens=3, stream=stream
    )
    choice = list(answer)[-1].choices[0] if stream else answer.choices[0]
    assert choice.finish_reason == "length"


def test_a_stop_sequence_ends_the_answer(client, dialect):
    answer = client.chat.completions.create(model=dialect.model, messages=HELLO, stop=["simulated"])
    assert answer.choices[0].finish_reason == "stop"
    assert "simulated" not in answer.choices[0].message.content


def test_sampling_parameters_are_taken_and_what_is_left_out_is_listed(client, dialect):
    answer = client.chat.completions.with_raw_response.create(
        model=dialect.model, messages=HELLO, temperature=1.5, seed=7, presence_penalty=0.5, user="ada"
    )
    assert answer.parse().choices
    dropped = {name.strip() for name in answer.headers.get("x-dragoman-dropped", "").split(",")}
    assert ("presence_penalty" in dropped) == (dialect is ANTHROPIC)
    if dialect is OPENAI:
        assert dropped == {""}


def test_several_choices_come_where_the_provider_makes_them(client, dialect):
    if dialect in (OPENAI, GEMINI):
        answer = client.chat.completions.create(model=dialect.model, messages=HELLO, n=2)
        assert [choice.index for choice in answer.choices] == [0, 1]
    else:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=dialect.model, messages=HELLO, n=2)
        assert caught.value.param == "n"


def image(url):
    return {"type": "image_url", "image_url": {"url": url}}


def test_an_image_arrives_as_data(client, dialect):
    content = [{"type": "text", "text": "What is this?"}, image(PIXEL)]
    answer = client.chat.completions.create(model=dialect.model, messages=[{"role": "user", "content": content}])
    assert "I see 1 image" in answer.choices[0].message.content


def test_an_image_arrives_by_address_or_is_refused(client, dialect):
    content = [{"type": "text", "text": "What is this?"}, image(PIXEL), image("https://images.test/cat.png")]
    messages = [{"role": "user", "content": content}]
    if dialect.image_urls:
        answer = client.chat.completions.create(model=dialect.model, messages=messages)
        assert "I see 2 images" in answer.choices[0].message.content
    else:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=dialect.model, messages=messages)
        assert caught.value.param.startswith("messages[0]")


def test_a_document_arrives_or_is_refused(client, dialect):
    file = {"type": "file", "file": {"filename": "note.pdf", "file_data": PDF}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "Read."}, file]}]
    if dialect.documents:
        answer = client.chat.completions.create(model=dialect.model, messages=messages)
        # The simulated OpenAI takes documents without a word about them.
        assert dialect is OPENAI or "I read 1 file" in answer.choices[0].message.content
    else:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=dialect.model, messages=messages)
        assert caught.value.param.startswith("messages[0]")


@pytest.mark.parametrize("stream", [False, True])
def test_a_filter_that_ends_an_answer_is_its_finish_reason(client, stream):
    # Ollama has none.
    for dialect in DIALECTS[:3]:
        answer = client.chat.completions.create(model=dialect.fault("content-filter"), messages=HELLO, stream=stream)
        choice = list(answer)[-1].choices[0] if stream else answer.choices[0]
        assert choice.finish_reason == "content_filter", dialect


@pytest.mark.parametrize("dialect", [OPENAI], ids=str)
def test_a_refusal_is_a_refusal(client, dialect):
    answer = client.chat.completions.create(model=dialect.fault("refusal"), messages=HELLO)
    assert answer.choices[0].message.refusal
    assert answer.choices[0].message.content is None


def test_the_async_client_streams_side_by_side(async_client, dialect):
    async def stream(client, name):
        chunks = await client.chat.completions.create(
            model=dialect.model, messages=[{"role": "user", "content": name}], stream=True
        )
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])

    async def run():
        async with async_client() as client:
            names = [f"caller-{number}" for number in range(16)]
            texts = await asyncio.gather(*(stream(client, name) for name in names))
            whole = await client.chat.completions.create(model=dialect.model, messages=HELLO)
        assert all(name in text for name, text in zip(names, texts))
        assert whole.choices[0].finish_reason == "stop"

    asyncio.run(run())


def test_a_json_object_is_one(client, dialect):
    answer = client.chat.completions.create(
        model=dialect.model,
        messages=[{"role": "user", "content": "Answer in JSON."}],
        response_format={"type": "json_object"},
    )
    assert isinstance(json.loads(answer.choices[0].message.content), dict)
    assert answer.choices[0].finish_reason == "stop"
    assert not answer.choices[0].message.tool_calls
    chunks = client.chat.completions.create(
        model=dialect.model,
        messages=[{"role": "user", "content": "Answer in JSON."}],
        response_format={"type": "json_object"},
        stream=True,
    )
    chunks = list(chunks)
    assert isinstance(json.loads(text_of(chunks)), dict)
    assert chunks[-1].choices[0].finish_reason == "stop"
