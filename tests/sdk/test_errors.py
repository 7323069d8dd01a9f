"""Each failure as the typed exception that applications catch."""

import openai
import pytest

MODEL = "openai/gpt-4o-mini"
HELLO = [{"role": "user", "content": "Hello"}]


def ask(client, model=MODEL, **options):
    return client.chat.completions.create(model=model, messages=HELLO, **options)


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


def test_a_model_that_the_provider_does_not_know_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, f"{MODEL}-sim-status-404")
    assert caught.value.code == "model_not_found"


def test_a_path_that_nobody_knows_is_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.post("/no/such/path", cast_to=object, body={})
    assert caught.value.code == "not_found"


def test_what_a_request_lacks_is_a_bad_request(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", cast_to=object, body={"messages": HELLO})
    assert caught.value.type == "invalid_request_error"


def test_a_providers_bad_request_is_the_clients(client):
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, f"{MODEL}-sim-context-length")
    assert caught.value.code == "context_length_exceeded"


def test_a_rate_limit_is_one_and_says_when_to_come_back(client):
    with pytest.raises(openai.RateLimitError) as caught:
        ask(client, f"{MODEL}-sim-status-429-retry-after-7")
    assert caught.value.status_code == 429
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-dragoman-attempts"].endswith("=429")


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_provider_that_fails_is_a_server_error(client, status):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, f"{MODEL}-sim-status-{status}")
    assert caught.value.status_code >= 500


def test_a_credential_that_the_provider_refuses_is_not_the_clients_fault(client):
    with pytest.raises(openai.InternalServerError) as caught:
        ask(client, f"{MODEL}-sim-status-401")
    assert caught.value.status_code == 502
    assert caught.value.type == "upstream_error"


@pytest.mark.parametrize("fault", ["reset", "html", "malformed", "empty"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_is_none_is_a_server_error(client, fault, stream):
    with pytest.raises(openai.InternalServerError) as caught:
        answer = ask(client, f"{MODEL}-sim-{fault}", stream=stream)
        list(answer)
    assert caught.value.type == "upstream_error"


def test_an_error_as_the_first_event_is_an_error_of_the_request(client):
    with pytest.raises(openai.InternalServerError):
        list(ask(client, f"{MODEL}-sim-error-event", stream=True))


@pytest.mark.parametrize("fault", ["cut-after-4", "malformed-after-4", "error-after-4"])
def test_a_stream_that_breaks_says_so_after_what_it_had(client, fault):
    seen = []
    with pytest.raises(openai.APIError):
        for chunk in ask(client, f"{MODEL}-sim-{fault}", stream=True):
            seen.append(chunk.choices[0].delta.content)
    assert any(seen)


def test_after_all_that_the_gateway_answers_as_before(client):
    assert ask(client).choices[0].finish_reason == "stop"
