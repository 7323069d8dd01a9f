"""A provider's own paths, `/{provider}/…`, as the provider's own SDK speaks them: it is given another address and a key of
the gateway's, and notices nothing else."""

import anthropic
import httpx
import ollama
import openai
import pytest
from anthropic.types import TextBlock
from google import genai
from google.genai import errors, types
from material import HELLO, PNG, Event

CLAUDE = "claude-opus-4-8"
FLASH = "gemini-2.5-flash"
MINI = "gpt-4o-mini"
LLAMA = "llama3.2"
CITY = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Paris"]}}, "required": ["city"]}


@pytest.fixture
def claude(gateway):
    """Makes clients of a key, by name or as it is."""
    return lambda key="full": anthropic.Anthropic(
        base_url=f"{gateway.origin}/anthropic", api_key=gateway.keys.get(key, key), max_retries=0, timeout=30
    )


@pytest.fixture
def gemini(gateway):
    once = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=f"{gateway.origin}/gemini", timeout=30_000, retry_options=once)
    # One that nobody holds closes its connections.
    held = []

    def client(key="full"):
        held.append(genai.Client(api_key=gateway.keys.get(key, key), http_options=options))
        return held[-1]

    return client


@pytest.fixture
def llama(gateway):
    return lambda key="full": ollama.Client(
        host=f"{gateway.origin}/ollama", headers={"authorization": f"Bearer {gateway.keys.get(key, key)}"}, timeout=30
    )


@pytest.fixture(params=["openai", "openai/v1"])
def gpt(gateway, request):
    return lambda key="full": openai.OpenAI(
        base_url=f"{gateway.origin}/{request.param}", api_key=gateway.keys.get(key, key), max_retries=0, timeout=30
    )


def claude_says(client, model=CLAUDE, **options):
    return client.messages.create(model=model, messages=HELLO, max_tokens=256, **options)


def failure(error, ask, *arguments, **options):
    """The error that it ends with, or that its stream does."""
    with pytest.raises(error) as caught:
        list(ask(*arguments, **options))
    return caught.value


def test_anthropic_answers_whole(claude):
    message = claude_says(claude())
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert message.model.startswith(CLAUDE)
    assert isinstance(message.content[0], TextBlock) and "Hello" in message.content[0].text
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


def test_anthropic_says_who_served(claude):
    raw = claude().messages.with_raw_response.create(model=CLAUDE, messages=HELLO, max_tokens=256)
    assert raw.headers["x-dragoman-provider"] == "anthropic"
    assert raw.headers["x-dragoman-attempts"] == f"anthropic/{CLAUDE}=200"
    assert raw.parse().content


def test_anthropic_streams_the_same_message(claude):
    client = claude()
    with client.messages.stream(model=CLAUDE, messages=HELLO, max_tokens=256) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    whole = claude_says(client)
    assert text == final.content[0].text == whole.content[0].text
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", whole.usage.output_tokens)
    events = [event.type for event in claude_says(client, stream=True)]
    assert (events[0], events[-1]) == ("message_start", "message_stop")


def test_anthropic_calls_a_tool_and_takes_its_result(claude):
    client = claude()
    tools = [{"name": "weather", "description": "The weather", "input_schema": CITY}]
    forced = {"type": "tool", "name": "weather"}
    called = claude_says(client, tools=tools, tool_choice=forced)
    assert called.stop_reason == "tool_use"
    call = next(block for block in called.content if block.type == "tool_use")
    assert (call.name, call.input) == ("weather", {"city": "Paris"})
    with client.messages.stream(
        model=CLAUDE, messages=HELLO, max_tokens=256, tools=tools, tool_choice=forced
    ) as stream:
        assert stream.get_final_message().content[-1].input == {"city": "Paris"}
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "22 degrees"}
    messages = [*HELLO, {"role": "assistant", "content": called.content}, {"role": "user", "content": [result]}]
    answer = client.messages.create(model=CLAUDE, messages=messages, max_tokens=256, tools=tools)
    assert answer.stop_reason == "end_turn" and "22 degrees" in answer.content[0].text


def test_anthropic_takes_its_signed_thoughts_back(claude):
    client = claude()
    thinking = {"thinking": {"type": "adaptive", "display": "summarized"}}
    first = client.messages.create(model=CLAUDE, messages=HELLO, max_tokens=2048, **thinking)
    assert first.content[0].type == "thinking" and first.content[0].signature
    messages = [*HELLO, {"role": "assistant", "content": first.content}, {"role": "user", "content": "Go on."}]
    second = client.messages.create(model=CLAUDE, messages=messages, max_tokens=2048, **thinking)
    assert "Go on." in second.content[-1].text
    # The provider refuses what it has not signed.
    forged = [{"type": "thinking", "thinking": "So.", "signature": "forged"}, {"type": "text", "text": "Yes."}]
    messages[1] = {"role": "assistant", "content": forged}
    options = {"model": CLAUDE, "messages": messages, "max_tokens": 2048, **thinking}
    assert "signature" in failure(anthropic.BadRequestError, client.messages.create, **options).message


def test_anthropic_sees_an_image_and_counts_tokens(claude):
    client = claude()
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    messages = [{"role": "user", "content": [image, {"type": "text", "text": "What is this?"}]}]
    answer = client.messages.create(model=CLAUDE, messages=messages, max_tokens=256)
    assert "I see 1 image" in answer.content[0].text
    assert client.messages.count_tokens(model=CLAUDE, messages=HELLO).input_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status-400", anthropic.BadRequestError),
        ("status-404", anthropic.NotFoundError),
        ("status-413", anthropic.RequestTooLargeError),
        ("status-429-retry-after-7", anthropic.RateLimitError),
        ("status-500", anthropic.InternalServerError),
        ("status-529", anthropic.OverloadedError),
    ],
)
def test_anthropics_errors_are_its_own(claude, fault, error, stream):
    caught = failure(error, claude_says, claude(), f"{CLAUDE}-sim-{fault}", stream=stream)
    assert caught.body["type"] == "error" and caught.body["error"]["message"]
    if fault.endswith("retry-after-7"):
        assert caught.response.headers["retry-after"] == "7"


def test_anthropic_breaks_off_a_stream_with_its_error(claude):
    heard = []
    with pytest.raises(anthropic.APIStatusError) as caught:
        for event in claude_says(claude(), f"{CLAUDE}-sim-error-after-5", stream=True):
            heard.append(event.type)
    assert "content_block_delta" in heard and "message_stop" not in heard
    assert caught.value.body["error"]["type"] == "overloaded_error"


def test_anthropics_client_is_refused_in_its_own_words(claude):
    for key in ["sk-unknown", "expired"]:
        caught = failure(anthropic.AuthenticationError, claude_says, claude(key))
        assert caught.body["error"]["type"] == "authentication_error"
    caught = failure(anthropic.PermissionDeniedError, claude_says, claude("narrow"))
    assert caught.body["error"]["type"] == "permission_error" and CLAUDE in caught.message


def test_gemini_answers_whole(gemini):
    answer = gemini().models.generate_content(model=FLASH, contents="Hello")
    assert "Hello" in answer.text
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    usage = answer.usage_metadata
    answered = usage.candidates_token_count + (usage.thoughts_token_count or 0)
    assert usage.total_token_count == usage.prompt_token_count + answered > 0
    headers = answer.sdk_http_response.headers
    assert headers["x-dragoman-provider"] == "gemini" and headers["x-dragoman-attempts"] == f"gemini/{FLASH}=200"


def test_gemini_streams_the_same_text(gemini):
    client = gemini()
    chunks = list(client.models.generate_content_stream(model=FLASH, contents="Hello"))
    assert len(chunks) > 1
    assert "".join(chunk.text or "" for chunk in chunks) == client.models.generate_content(
        model=FLASH, contents="Hello"
    ).text
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.total_token_count > 0


def test_gemini_keeps_a_chat_and_calls_a_function(gemini):
    chat = gemini().chats.create(model=FLASH)
    assert "One" in chat.send_message("One").text
    assert "Two" in "".join(chunk.text or "" for chunk in chat.send_message_stream("Two"))
    weather = types.FunctionDeclaration(name="weather", description="The weather", parameters_json_schema=CITY)
    calling = types.FunctionCallingConfig(mode="ANY", allowed_function_names=["weather"])
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[weather])],
        tool_config=types.ToolConfig(function_calling_config=calling),
    )
    [call] = gemini().models.generate_content(model=FLASH, contents="Hello", config=config).function_calls
    assert (call.name, call.args) == ("weather", {"city": "Paris"})


def test_gemini_fills_a_schema_and_counts_tokens(gemini):
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Event)
    answer = gemini().models.generate_content(model=FLASH, contents="Hello", config=config)
    assert isinstance(answer.parsed, Event)
    assert gemini().models.count_tokens(model=FLASH, contents="Hello").total_tokens > 0


@pytest.mark.parametrize("model", [FLASH, "gemini-3-flash-preview"])
def test_gemini_takes_its_signed_thoughts_back(gemini, model):
    declared = [types.FunctionDeclaration(name="weather", description="The weather", parameters_json_schema=CITY)]
    thinking = types.ThinkingConfig(include_thoughts=True)
    config = types.GenerateContentConfig(tools=[types.Tool(function_declarations=declared)], thinking_config=thinking)
    asked = types.Content(role="user", parts=[types.Part(text="How is the weather?")])
    first = gemini().models.generate_content(model=model, contents=[asked], config=config).candidates[0].content
    [call] = [part for part in first.parts if part.function_call]
    assert first.parts[0].thought and call.thought_signature
    called = call.function_call
    response = types.FunctionResponse(id=called.id, name=called.name, response={"output": "sunny"})
    result = types.Content(role="user", parts=[types.Part(function_response=response)])
    second = gemini().models.generate_content(model=model, contents=[asked, first, result], config=config)
    assert "sunny" in second.text


def test_gemini_embeds_one_text_and_many(gemini):
    models = gemini().models
    config = types.EmbedContentConfig(output_dimensionality=8)
    many = models.embed_content(model="gemini-embedding-001", contents=["one", "two"], config=config).embeddings
    one = models.embed_content(model="gemini-embedding-001", contents="one", config=config).embeddings
    assert [len(embedding.values) for embedding in many] == [8, 8]
    assert one[0].values == many[0].values


def test_gemini_draws(gemini):
    answer = gemini().models.generate_content(model="gemini-2.5-flash-image", contents="A fox")
    text, picture = answer.candidates[0].content.parts
    assert "A fox" in text.text and picture.inline_data.data.startswith(b"\x89PNG")


@pytest.mark.parametrize("status", [400, 429, 500, 503])
def test_geminis_errors_are_its_own(gemini, status):
    models = gemini().models
    expected = errors.ClientError if status < 500 else errors.ServerError
    for ask in [models.generate_content, models.generate_content_stream]:
        caught = failure(expected, ask, model=f"{FLASH}-sim-status-{status}", contents="Hello")
        assert caught.code == status and caught.status.isupper() and caught.message


def test_geminis_client_is_refused_in_its_own_words(gemini):
    for key, code, status in [("sk-unknown", 401, "UNAUTHENTICATED"), ("narrow", 403, "PERMISSION_DENIED")]:
        caught = failure(errors.ClientError, gemini(key).models.generate_content, model=FLASH, contents="Hello")
        assert (caught.code, caught.status) == (code, status)


def test_openai_answers_whole_and_streams_the_same(gpt):
    client = gpt()
    raw = client.chat.completions.with_raw_response.create(model=MINI, messages=HELLO)
    assert raw.headers["x-dragoman-attempts"] == f"openai/{MINI}=200"
    whole = raw.parse()
    assert "Hello" in whole.choices[0].message.content and whole.usage.total_tokens > 0
    options = {"stream": True, "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(model=MINI, messages=HELLO, **options))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content and chunks[-1].usage == whole.usage


def test_openai_keeps_a_response_and_goes_on_from_it(gpt):
    client = gpt()
    first = client.responses.create(model=MINI, input="The first thing")
    assert "The first thing" in first.output_text
    with client.responses.stream(model=MINI, input="The second thing", previous_response_id=first.id) as stream:
        second = stream.get_final_response()
    assert "The second thing" in second.output_text and second.previous_response_id == first.id
    assert client.responses.retrieve(first.id) == first
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)


def test_openai_takes_whatever_else_is_its_own(gpt):
    client = gpt()
    assert client.moderations.create(input="hello", model="omni-moderation-latest").results[0].flagged is False
    assert len(client.embeddings.create(model="text-embedding-3-small", input="x", dimensions=8).data[0].embedding) == 8
    assert client.images.generate(model="gpt-image-1", prompt="A fox").data[0].b64_json
    assert len(client.audio.speech.create(model="gpt-4o-mini-tts", voice="alloy", input="two words").read()) == 4096


def test_openai_lists_what_the_key_may_use_there(gpt):
    ids = [model.id for model in gpt().models.list()]
    assert f"openai/{MINI}" in ids and "openai/gpt-4o" in ids
    assert not any(name.startswith(("anthropic/", "gemini/", "ollama/")) for name in ids)
    assert f"openai/{MINI}" in [model.id for model in gpt("narrow").models.list()]
    assert "openai/gpt-4o" not in [model.id for model in gpt("narrow").models.list()]


def test_openais_errors_are_its_own(gpt):
    def caught(error, key, model=MINI):
        return failure(error, gpt(key).chat.completions.create, model=model, messages=HELLO)

    assert caught(openai.AuthenticationError, "sk-unknown").code == "invalid_api_key"
    assert caught(openai.PermissionDeniedError, "narrow", "gpt-4o").code == "permission_denied"
    limited = caught(openai.RateLimitError, "full", f"{MINI}-sim-status-429-retry-after-7")
    assert limited.response.headers["retry-after"] == "7"
    assert caught(openai.InternalServerError, "full", f"{MINI}-sim-status-503").status_code == 503
    assert gpt("narrow").chat.completions.create(model=MINI, messages=HELLO).choices


def test_ollama_answers_whole_and_streams_the_same(llama):
    client = llama()
    whole = client.chat(model=LLAMA, messages=HELLO)
    assert whole.done and whole.done_reason == "stop" and whole.eval_count > 0
    assert "Hello" in whole.message.content
    chunks = list(client.chat(model=LLAMA, messages=HELLO, stream=True))
    assert "".join(chunk.message.content or "" for chunk in chunks) == whole.message.content
    assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


def test_ollama_calls_a_tool_and_sees_an_image(llama):
    weather = {"type": "function", "function": {"name": "weather", "description": "It", "parameters": CITY}}
    message = [{"role": "user", "content": "Call weather."}]
    [call] = llama().chat(model=LLAMA, messages=message, tools=[weather]).message.tool_calls
    assert (call.function.name, call.function.arguments) == ("weather", {"city": "Paris"})
    seen = [{"role": "user", "content": "What is this?", "images": [PNG]}]
    assert "I see 1 image" in llama().chat(model=LLAMA, messages=seen).message.content


def test_ollamas_errors_are_its_own(llama):
    for key, model, status in [
        ("full", f"{LLAMA}-sim-status-404", 404),
        ("full", f"{LLAMA}-sim-status-503", 503),
        ("sk-unknown", LLAMA, 401),
        ("narrow", LLAMA, 403),
    ]:
        for stream in [False, True]:
            caught = failure(ollama.ResponseError, llama(key).chat, model=model, messages=HELLO, stream=stream)
            assert caught.status_code == status and caught.error


def test_ollama_lists_what_it_has_to_a_key_without_limits(llama):
    assert LLAMA in [model.model.split(":")[0] for model in llama().list().models]
    assert failure(ollama.ResponseError, llama("narrow").list).status_code == 403


def test_no_provider_sees_the_key(gateway):
    # The simulated providers take no other key than their own.
    for path, body in [
        ("anthropic/v1/messages", {"model": CLAUDE, "messages": HELLO, "max_tokens": 9}),
        (f"gemini/v1beta/models/{FLASH}:generateContent", {"contents": [{"parts": [{"text": "Hello"}]}]}),
        ("openai/v1/chat/completions", {"model": MINI, "messages": HELLO}),
        ("ollama/api/chat", {"model": LLAMA, "messages": HELLO, "stream": False}),
    ]:
        key = gateway.keys["full"]
        for header in [{"authorization": f"Bearer {key}"}, {"x-api-key": key}, {"x-goog-api-key": key}]:
            answer = httpx.post(f"{gateway.origin}/{path}", json=body, headers=header)
            assert answer.status_code == 200, answer.text
