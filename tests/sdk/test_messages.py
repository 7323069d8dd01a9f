"""What applications do with Anthropic's SDK, through the gateway's own Messages and back, whatever the provider speaks."""

import asyncio

import anthropic
import pytest
from dialects import ANTHROPIC, DIALECTS, GEMINI, OLLAMA, OPENAI
from material import CLOCK, HELLO, PDF, PNG, WEATHER, Event

QUESTION = [{"role": "user", "content": "How is the weather?"}]
PARALLEL = [{"role": "user", "content": "In parallel, please"}]
#: Anthropic's later models take no budget.
THINKERS = (ANTHROPIC.thinkers[0], *GEMINI.thinkers, *OLLAMA.thinkers)
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}, "max_tokens": 4096}


def tool(openai_s):
    """A tool in Anthropic's shape."""
    function = openai_s["function"]
    return {"name": function["name"], "description": function["description"], "input_schema": function["parameters"]}


TOOLS = [tool(WEATHER), tool(CLOCK)]


@pytest.fixture
def claude(gateway):
    """A client with a key, by name or as it is."""
    return lambda key="full": anthropic.Anthropic(
        base_url=gateway.origin, api_key=gateway.keys.get(key, key), max_retries=0, timeout=30
    )


def ask(client, streamed, **options):
    """The message, or what the SDK makes of its events."""
    options = {"max_tokens": 256} | options
    if not streamed:
        return client.messages.create(**options)
    with client.messages.stream(**options) as stream:
        return stream.get_final_message()


def calls_of(message):
    return [block for block in message.content if block.type == "tool_use"]


def result(call, content, **more):
    return {"type": "tool_result", "tool_use_id": call.id, "content": content} | more


def said(message):
    return "".join(block.text for block in message.content if block.type == "text")


def after(messages, message, *results):
    return [*messages, {"role": "assistant", "content": message.content}, {"role": "user", "content": list(results)}]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_message_is_answered_with_its_usage(claude, dialect, streamed):
    message = ask(claude(), streamed, model=dialect.model, messages=HELLO, system="Be short.")
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert message.id and message.model == dialect.model.split("/")[1]
    assert "Hello" in said(message)
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0


def test_every_answer_says_who_served_it(claude, dialect):
    raw = claude().messages.with_raw_response.create(model=dialect.model, messages=HELLO, max_tokens=64)
    assert raw.headers["x-dragoman-provider"] == dialect.provider
    assert raw.parse().role == "assistant"


def test_events_come_in_the_order_that_the_sdk_documents(claude, dialect):
    events = list(claude().messages.create(model=dialect.model, messages=HELLO, max_tokens=64, stream=True))
    kinds = [event.type for event in events if event.type != "ping"]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) == {"content_block_delta"} and len(kinds) > 6


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_makes_its_round_trip(claude, dialect, streamed):
    options = {"model": dialect.model, "tools": TOOLS[:1]}
    first = ask(claude(), streamed, messages=QUESTION, **options)
    [call] = calls_of(first)
    assert first.stop_reason == "tool_use"
    assert (call.name, call.input) == ("weather", {"city": "Paris"}) and call.id

    second = ask(claude(), streamed, messages=after(QUESTION, first, result(call, "sunny")), **options)
    assert "sunny" in said(second) and second.stop_reason == "end_turn"


@pytest.mark.parametrize("streamed", [False, True])
def test_parallel_calls_arrive_apart_and_their_results_together(claude, dialect, streamed):
    options = {"model": dialect.model, "tools": TOOLS}
    first = ask(claude(), streamed, messages=PARALLEL, **options)
    weather, clock = calls_of(first)
    assert [(call.name, call.input) for call in (weather, clock)] == [("weather", {"city": "Paris"}), ("clock", {})]
    assert weather.id != clock.id

    text = [{"type": "text", "text": "sunny"}]
    messages = after(PARALLEL, first, result(clock, "noon", is_error=True), result(weather, text))
    second = ask(claude(), streamed, messages=messages, **options)
    assert "sunny" in said(second) and "noon" in said(second)


def test_a_tool_can_be_demanded_and_forbidden(claude, dialect):
    def choose(choice):
        return ask(claude(), False, model=dialect.model, messages=HELLO, tools=TOOLS, tool_choice=choice)

    assert not calls_of(choose({"type": "none"}))
    if dialect.forces_tools:
        assert calls_of(choose({"type": "any"}))
        assert [call.name for call in calls_of(choose({"type": "tool", "name": "clock"}))] == ["clock"]


def test_a_picture_is_seen_in_a_turn_and_in_a_result(claude, dialect):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    messages = [{"role": "user", "content": [image, {"type": "text", "text": "What is this?"}]}]
    assert "I see 1 image" in said(ask(claude(), False, model=dialect.model, messages=messages))

    first = ask(claude(), False, model=dialect.model, messages=QUESTION, tools=TOOLS[:1])
    [call] = calls_of(first)
    messages = after(QUESTION, first, result(call, [{"type": "text", "text": "a map"}, image]))
    # The simulated model calls a tool in each turn of the user, and a picture may follow in one of its own.
    options = {"tools": TOOLS[:1], "tool_choice": {"type": "none"}}
    second = ask(claude(), False, model=dialect.model, messages=messages, **options)
    assert second.stop_reason == "end_turn"


def test_a_document_is_read_or_refused(claude, dialect):
    data = PDF.split(",")[1]
    document = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}
    messages = [{"role": "user", "content": [document, {"type": "text", "text": "Sum it up."}]}]
    if dialect.documents:
        assert "I read 1 file" in said(ask(claude(), False, model=dialect.model, messages=messages))
    else:
        with pytest.raises(anthropic.BadRequestError):
            ask(claude(), False, model=dialect.model, messages=messages)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", THINKERS)
def test_a_thinking_model_takes_its_own_history_back(claude, model, streamed):
    options = {"model": model, "tools": TOOLS} | THINKING
    first = ask(claude(), streamed, messages=PARALLEL, **options)
    assert first.content[0].type == "thinking" and first.content[0].thinking
    results = [result(call, f"{call.name} done") for call in calls_of(first)]
    assert len(results) == 2
    second = ask(claude(), streamed, messages=after(PARALLEL, first, *results), **options)
    assert "weather done" in said(second) and "clock done" in said(second)


def test_a_conversation_moves_from_any_provider_to_any_other(claude):
    thinking = {dialect.provider: dialect.thinkers[-1] if dialect is GEMINI else dialect.model for dialect in DIALECTS}
    for origin in DIALECTS:
        think = {} if origin is OPENAI else THINKING
        model = ANTHROPIC.thinkers[0] if origin is ANTHROPIC else thinking[origin.provider]
        first = ask(claude(), False, model=model, messages=PARALLEL, tools=TOOLS, **think)
        results = [result(call, f"{call.name} done") for call in calls_of(first)]
        for target in DIALECTS:
            messages = after(PARALLEL, first, *results)
            second = ask(claude(), False, model=thinking[target.provider], messages=messages, tools=TOOLS)
            assert "weather done" in said(second), f"{origin} to {target}"


def test_tokens_are_counted_where_the_provider_counts_them(claude, dialect):
    if dialect in (ANTHROPIC, GEMINI):
        assert claude().messages.count_tokens(model=dialect.model, messages=HELLO).input_tokens > 0
    else:
        with pytest.raises(anthropic.APIStatusError) as caught:
            claude().messages.count_tokens(model=dialect.model, messages=HELLO)
        assert caught.value.status_code == 501


def test_a_wish_that_a_model_does_not_know_is_listed(claude):
    options = {"model": OPENAI.model, "messages": HELLO, "extra_body": {"top_k": 5}} | THINKING
    raw = claude().messages.with_raw_response.create(**options)
    assert set(raw.headers["x-dragoman-dropped"].split(", ")) == {"top_k", "thinking"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status-400", anthropic.BadRequestError),
        ("status-404", anthropic.NotFoundError),
        ("status-429-retry-after-7", anthropic.RateLimitError),
        ("status-500", anthropic.InternalServerError),
    ],
)
def test_a_provider_s_error_is_raised_as_the_sdk_knows_it(claude, dialect, fault, error, stream):
    with pytest.raises(error) as caught:
        claude().messages.create(model=dialect.fault(fault), messages=HELLO, max_tokens=64, stream=stream)
    assert caught.value.body["type"] == "error" and caught.value.body["error"]["message"]
    if fault.endswith("retry-after-7"):
        assert caught.value.response.headers["retry-after"] == "7"


def test_a_stream_that_breaks_off_ends_in_an_error(claude, dialect):
    heard = []
    with pytest.raises(anthropic.APIStatusError):
        for event in claude().messages.create(model=dialect.fault("error-after-5"), messages=HELLO, max_tokens=64, stream=True):
            heard.append(event.type)
    assert "content_block_delta" in heard and "message_stop" not in heard


def test_the_gateway_refuses_in_the_client_s_words(claude):
    for key in ["sk-unknown", "expired"]:
        with pytest.raises(anthropic.AuthenticationError):
            ask(claude(key), False, model=OPENAI.model, messages=HELLO)
    with pytest.raises(anthropic.PermissionDeniedError):
        ask(claude("narrow"), False, model=ANTHROPIC.model, messages=HELLO)
    with pytest.raises(anthropic.NotFoundError):
        ask(claude(), False, model="nothing-of-the-kind", messages=HELLO)


def test_a_text_as_a_document_is_read_by_everyone(claude, dialect):
    source = {"type": "text", "media_type": "text/plain", "data": "The moon is round."}
    document = {"type": "document", "source": source, "title": "Moons"}
    messages = [{"role": "user", "content": [document, {"type": "text", "text": "Sum it up."}]}]
    text = said(ask(claude(), False, model=dialect.model, messages=messages))
    assert "I read 1 file" in text or "The moon is round." in text


@pytest.mark.parametrize("model", THINKERS)
def test_thoughts_stream_in_a_block_of_their_own_before_the_answer(claude, model):
    options = {"model": model, "messages": HELLO} | THINKING
    kinds, thought, said = [], "", ""
    for event in claude().messages.create(stream=True, **options):
        if event.type == "content_block_start":
            kinds.append(event.content_block.type)
        if event.type == "content_block_delta":
            thought += event.delta.thinking if event.delta.type == "thinking_delta" else ""
            said += event.delta.text if event.delta.type == "text_delta" else ""
    assert kinds == ["thinking", "text"]
    assert thought == "The user said: Hello\n\nI will answer that I am simulated." and "Hello" in said


def test_a_later_model_thinks_as_much_as_it_wants(claude):
    options = {"model": ANTHROPIC.thinkers[-1], "tools": TOOLS, "max_tokens": 4096}
    options["thinking"] = {"type": "adaptive", "display": "summarized"}
    for streamed in [False, True]:
        first = ask(claude(), streamed, messages=PARALLEL, **options)
        assert first.content[0].type == "thinking" and first.content[0].signature
        results = [result(call, f"{call.name} done") for call in calls_of(first)]
        second = ask(claude(), streamed, messages=after(PARALLEL, first, *results), **options)
        assert "weather done" in said(second)


def test_an_answer_stops_where_it_is_told_to(claude, dialect):
    long = [{"role": "user", "content": "word " * 60}]
    cut = ask(claude(), False, model=dialect.model, messages=long, max_tokens=5)
    # What is thought counts, too.
    assert (cut.stop_reason, cut.usage.output_tokens) in [("max_tokens", 5), ("max_tokens", 69)]
    stopped = ask(claude(), True, model=dialect.model, messages=HELLO, stop_sequences=["simulated"])
    assert "simulated" not in said(stopped)
    if dialect is ANTHROPIC:
        assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "simulated")


def test_what_is_to_be_cached_is_marked_for_who_caches(claude, dialect):
    system = [{"type": "text", "text": "A long instruction. " * 20, "cache_control": {"type": "ephemeral"}}]
    options = {"model": dialect.model, "system": system, "max_tokens": 256}
    raw = claude().messages.with_raw_response.create(messages=HELLO, **options)
    later = [*HELLO, {"role": "assistant", "content": said(raw.parse())}, {"role": "user", "content": "Again."}]
    written, read = raw.parse().usage, ask(claude(), True, messages=later, **options).usage
    if dialect is ANTHROPIC:
        assert "x-dragoman-dropped" not in raw.headers
        assert written.cache_creation_input_tokens > 0 and not written.cache_read_input_tokens
        assert read.cache_read_input_tokens == written.cache_creation_input_tokens
        assert not read.cache_creation_input_tokens
    else:
        assert raw.headers["x-dragoman-dropped"] == "cache_control"


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", ANTHROPIC.thinkers[-1], GEMINI.model, OLLAMA.model])
def test_an_answer_is_parsed_into_the_type_that_was_asked_for(claude, model):
    message = claude().messages.parse(model=model, messages=HELLO, max_tokens=512, output_format=Event)
    assert isinstance(message.parsed_output, Event)


def test_the_sdk_s_runner_calls_the_tools_by_itself(claude, dialect):
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather.

        Args:
            city: Where.
        """
        return f"sunny in {city}"

    runner = claude().beta.messages.tool_runner(model=dialect.model, messages=QUESTION, tools=[weather], max_tokens=256)
    # It asks for a thread, which Anthropic keeps and nobody else does.
    assert "sunny in city" in said(runner.until_done())


def test_a_thread_is_told_whole_to_who_does_not_keep_it(claude, dialect):
    thread = claude().beta.messages.thread(model=dialect.model, max_tokens=256, system="Be short.")
    for word in ["first", "second", "third"]:
        assert word in said(thread.send({"role": "user", "content": f"The {word} thing"}))
    with thread.stream({"role": "user", "content": "The fourth thing"}) as stream:
        assert "fourth" in said(stream.get_final_message())


def test_many_questions_are_answered_at_once(gateway, dialect):
    async def ask_all():
        async with anthropic.AsyncAnthropic(
            base_url=gateway.origin, auth_token=gateway.keys["full"], api_key=None, max_retries=0, timeout=30
        ) as client:
            asked = [
                client.messages.create(
                    model=dialect.model, messages=[{"role": "user", "content": f"caller-{number}"}], max_tokens=64
                )
                for number in range(8)
            ]
            return await asyncio.gather(*asked)

    for number, message in enumerate(asyncio.run(ask_all())):
        assert f"caller-{number}" in said(message)


@pytest.mark.parametrize(
    ("fault", "error", "kind"),
    [
        ("status-401", anthropic.InternalServerError, "api_error"),
        ("status-413", anthropic.APIStatusError, "request_too_large"),
        ("status-500", anthropic.InternalServerError, "api_error"),
        ("status-529", anthropic.InternalServerError, "overloaded_error"),
        ("context-length", anthropic.BadRequestError, "invalid_request_error"),
        ("malformed", anthropic.InternalServerError, "api_error"),
    ],
)
def test_an_error_has_the_type_that_anthropic_gives_it(claude, dialect, fault, error, kind):
    for stream in [False, True]:
        with pytest.raises(error) as caught:
            claude().messages.create(model=dialect.fault(fault), messages=HELLO, max_tokens=64, stream=stream)
        assert caught.value.body["error"]["type"] == kind and caught.value.body["error"]["message"]


@pytest.mark.parametrize("fault", ["malformed-after-5", "stop-after-5", "cut-after-5"])
def test_a_stream_that_is_broken_is_never_taken_for_a_whole_one(claude, dialect, fault):
    heard = []
    # A connection that breaks is the transport's own error, where no event could be sent any more.
    with pytest.raises(Exception) as caught:
        for event in claude().messages.create(model=dialect.fault(fault), messages=HELLO, max_tokens=64, stream=True):
            heard.append(event.type)
    assert not isinstance(caught.value, AssertionError)
    assert "content_block_delta" in heard and "message_stop" not in heard
