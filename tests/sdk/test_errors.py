"""Each failure as the typed exception that applications catch."""

import openai
import pytest
from dialects import ANTHROPIC, DIALECTS, GEMINI, OLLAMA, OPENAI
from material import HELLO

MODEL = OPENAI.model


def ask(client, model=MODEL, **options):
    return client.chat.completions.create(model=model, messages=HELLO, **options)


def caught(error, client, model, stream=False):
    """The error that a request ends with before its first chunk."""
    with pytest.raises(error) as caught:
        ask(client, model, stream=stream)
    return caught.value


@pytest.fixture(params=[False, True], ids=["whole", "stream"])
def stream(request):
    return request.param


@pytest.mark.parametrize("key", ["sk-unknown", "expired"])
def test_a_key_that_is_not_good_is_an_authentication_error(client_with, key):
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(client_with(key))
    assert caught.value.status_code == 401
    assert caught.value.code == "invalid_api_key"
    assert caught.value.type == "invalid_request_error"


def test_a_key_never_comes_back_in_an_error(client_with):
    with pytest.raises(openai.AuthenticationError) as caught:
        ask(client_with("sk-very-secret-and-unknown"))
    assert "very-secret" not in caught.value.response.text


def test_a_model_outside_the_key_is_a_permission_error(client_with):
    assert ask(client_with("narrow")).choices
    with pytest.raises(openai.PermissionDeniedError) as caught:
        ask(client_with("narrow"), "openai/gpt-4o")
    assert caught.value.code == "permission_denied"
    assert "gpt-4o" in caught.value.message


def test_a_path_that_nobody_knows_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.post("/no/such/path", cast_to=object, body={})
    assert caught.value.code == "not_found"


def test_what_a_request_lacks_is_a_bad_request(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", cast_to=object, body={"messages": HELLO})
    assert caught.value.type == "invalid_request_error"


def test_a_provider_that_nobody_configured_is_a_model_that_nobody_knows(client):
    assert caught(openai.NotFoundError, client, "nobody/some-model").code == "model_not_found"


@pytest.mark.parametrize("dialect", [ANTHROPIC, GEMINI, OLLAMA], ids=str)
def test_a_request_that_no_provider_can_take_names_the_field(client, dialect, stream):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, dialect.model, temperature=2.5, stream=stream)
    assert caught.value.type == "invalid_request_error"
    assert caught.value.param == "temperature"


def test_a_model_that_the_provider_does_not_know_is_not_found(client, dialect, stream):
    error = caught(openai.NotFoundError, client, dialect.fault("status-404"), stream)
    assert error.code == "model_not_found"
    assert error.type == "invalid_request_error"


def test_a_bad_request_is_the_clients(client, dialect, stream):
    error = caught(openai.BadRequestError, client, dialect.fault("status-400"), stream)
    assert error.type == "invalid_request_error"
    assert "not one that can be answered" in error.message


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [(413, openai.APIStatusError, "request_too_large"), (422, openai.UnprocessableEntityError, None)],
)
def test_a_request_that_the_provider_refuses_keeps_its_status(client, dialect, stream, status, error, code):
    error = caught(error, client, dialect.fault(f"status-{status}"), stream)
    assert (error.status_code, error.code, error.type) == (status, code, "invalid_request_error")


def test_a_conversation_that_is_too_long_is_told_by_its_code(client, dialect, stream):
    error = caught(openai.BadRequestError, client, dialect.fault("context-length"), stream)
    assert error.code == "context_length_exceeded"
    assert error.type == "invalid_request_error"


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC], ids=str)
def test_a_prompt_that_offends_is_told_by_its_code(client, dialect, stream):
    error = caught(openai.BadRequestError, client, dialect.fault("content-policy"), stream)
    assert error.code == "content_policy_violation"


def test_a_prompt_that_gemini_blocks_is_an_answer_that_was_filtered(client):
    choice = ask(client, GEMINI.fault("content-policy")).choices[0]
    assert choice.finish_reason == "content_filter"
    assert choice.message.content is None and choice.message.refusal
    chunks = list(ask(client, GEMINI.fault("content-policy"), stream=True))
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert "".join(chunk.choices[0].delta.refusal or "" for chunk in chunks) == choice.message.refusal


def test_a_rate_limit_is_one_and_says_when_to_come_back(client, dialect, stream):
    error = caught(openai.RateLimitError, client, dialect.fault("status-429-retry-after-7"), stream)
    assert error.code == "rate_limit_exceeded"
    assert error.response.headers["retry-after"] == "7"
    assert error.response.headers["x-dragoman-attempts"].endswith("=429")


def test_a_wait_in_milliseconds_is_passed_on(client, dialect):
    error = caught(openai.RateLimitError, client, dialect.fault("status-429-retry-after-ms-1500"))
    assert error.response.headers["retry-after-ms"] == "1500"


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC], ids=str)
def test_an_account_without_money_is_no_rate_limit(client, dialect, stream):
    error = caught(openai.RateLimitError, client, dialect.fault("quota"), stream)
    assert error.code == "insufficient_quota"


def test_the_sdk_retries_by_itself_what_may_pass(client_with, dialect):
    patient = client_with("full").with_options(max_retries=1)
    answer = patient.chat.completions.with_raw_response.create(model=dialect.model, messages=HELLO)
    assert answer.retries_taken == 0
    with pytest.raises(openai.RateLimitError) as caught:
        ask(patient, dialect.fault("status-429-retry-after-ms-10"))
    assert caught.value.request.headers["x-stainless-retry-count"] == "1"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529])
def test_a_provider_that_fails_is_a_server_error(client, dialect, stream, status):
    error = caught(openai.InternalServerError, client, dialect.fault(f"status-{status}-retry-after-3"), stream)
    # 529 is Anthropic's own; OpenAI's answers are passed on as they are.
    assert error.status_code == (503 if status == 529 and dialect is not OPENAI else status)
    assert error.response.headers["retry-after"] == "3"


@pytest.mark.parametrize("status", [401, 403])
def test_a_credential_that_the_provider_refuses_is_not_the_clients_fault(client, dialect, stream, status):
    error = caught(openai.InternalServerError, client, dialect.fault(f"status-{status}"), stream)
    assert error.status_code == 502
    assert error.type == "upstream_error"


@pytest.mark.parametrize("fault", ["reset", "reset-head", "html", "malformed", "empty"])
def test_an_answer_that_is_none_is_a_server_error(client, dialect, fault, stream):
    error = caught(openai.InternalServerError, client, dialect.fault(fault), stream)
    assert error.type == "upstream_error"


def test_a_whole_answer_that_breaks_off_is_a_server_error(client, dialect):
    for fault in ["cut-after-1", "stop-after-1"]:
        assert caught(openai.InternalServerError, client, dialect.fault(fault)).type == "upstream_error"


@pytest.mark.parametrize("fault", ["error-event", "cut-after-0", "reset-after-0", "stop-after-0"])
def test_a_failure_before_the_first_content_is_an_error_of_the_request(client, dialect, fault):
    caught(openai.InternalServerError, client, dialect.fault(fault), stream=True)


def test_an_event_without_content_does_not_yet_decide(client):
    # Who writes, and in which block, is no content; Gemini and Ollama have no such events.
    for dialect, fault in [(OPENAI, "error-after-1"), (ANTHROPIC, "error-after-1"), (ANTHROPIC, "error-after-2")]:
        caught(openai.InternalServerError, client, dialect.fault(fault), stream=True)


@pytest.mark.parametrize("fault", ["cut-after-5", "reset-after-5", "stop-after-5", "malformed-after-5", "error-after-5"])
def test_a_stream_that_breaks_says_so_after_what_it_had(client, dialect, fault):
    seen = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in ask(client, dialect.fault(fault), stream=True):
            seen.append(chunk.choices[0])
    assert any(choice.delta.content for choice in seen)
    assert not any(choice.finish_reason for choice in seen)
    if fault == "error-after-5":
        assert "again" in caught.value.message or caught.value.message == "Overloaded"
    if not fault.startswith(("cut", "reset")):
        assert caught.value.type in ("upstream_error", "server_error")


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC], ids=str)
def test_a_stream_that_lacks_its_end_only_is_given_one(client, dialect):
    chunks = list(ask(client, dialect.fault("no-end"), stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("dialect", [GEMINI, OLLAMA], ids=str)
def test_a_stream_without_its_finish_reason_is_cut_short(client, dialect):
    with pytest.raises(openai.APIError):
        list(ask(client, dialect.fault("no-end"), stream=True))


def test_an_answer_without_usage_is_one(client, dialect):
    assert ask(client, dialect.fault("no-usage")).usage is None
    assert list(ask(client, dialect.fault("no-usage"), stream=True))[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("stream", [False, True])
def test_a_temperature_above_two_is_refused_for_every_provider(client, dialect, stream):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, dialect.model, temperature=2.5, stream=stream)
    assert caught.value.param == "temperature"


def test_what_only_the_body_says_is_told_when_to_come_back_and_that_the_money_is_gone(client):
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, GEMINI.fault("status-429"))
    assert caught.value.response.headers["retry-after"] == "35"
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, GEMINI.fault("status-402"))
    assert caught.value.code == "insufficient_quota"


def test_after_all_that_the_gateway_answers_as_before(client):
    for dialect in DIALECTS:
        assert ask(client, dialect.model).choices[0].finish_reason == "stop"
