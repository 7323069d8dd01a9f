"""A limit of the gateway's own, as the official SDKs understand it: the typed exception, what its headers say, and that a client
which waits as long as it is told is let in."""

import itertools

import anthropic
import openai
import pytest
from conftest import serve
from material import HELLO

CLAUDE = "claude-opus-4-8"
MINI = "openai/gpt-4o-mini"
#: More than fit into any of the limits in the time that so many take.
MANY = 40

#: Each test has a key of its own, and with it limits of its own.
KEYS = {f"key-{number}": {"key": f"sk-limited-{number}"} for number in range(16)}
POOR = {f"poor-{number}": {"key": f"sk-poor-{number}", "budgets": {"daily_tokens": 200}} for number in range(4)}
LIMITS = [
    {"name": "one-a-second", "of": "requests", "per": "second", "max": 1},
    {"name": "plenty", "of": "tokens", "per": "minute", "max": 100_000},
]


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    limits = [limit | {"scope": "key"} for limit in LIMITS]
    with serve(tmp_path_factory.mktemp("limited"), KEYS, limits=limits) as served:
        yield served


@pytest.fixture(scope="module")
def poor(tmp_path_factory):
    # Apart, so that no other limit refuses what a budget is to refuse.
    with serve(tmp_path_factory.mktemp("poor"), POOR) as served:
        yield served


@pytest.fixture(scope="module")
def unused():
    """The names of keys that nobody has used, by what they begin with."""
    numbers = {}
    return lambda kind: f"{kind}-{next(numbers.setdefault(kind, itertools.count()))}"


@pytest.fixture(params=["openai", "anthropic"])
def ask(request, unused):
    """Asks a gateway by one SDK, always with the same key. Its `errors` are the SDK's module."""

    def client(gateway, kind, retries):
        options = {"api_key": gateway.keys[unused(kind)], "max_retries": retries, "timeout": 30}
        if request.param == "openai":
            completions = openai.OpenAI(base_url=gateway.url, **options).chat.completions
            return lambda raw=False, **more: (completions.with_raw_response if raw else completions).create(
                model=MINI, messages=HELLO, max_tokens=16, **more
            )
        messages = anthropic.Anthropic(base_url=f"{gateway.origin}/anthropic", **options).messages
        return lambda raw=False, **more: (messages.with_raw_response if raw else messages).create(
            model=CLAUDE, messages=HELLO, max_tokens=16, **more
        )

    client.errors = {"openai": openai, "anthropic": anthropic}[request.param]
    return client


def refused(ask, error, **options):
    """What the first request ends with that finds no room, and how many did before."""
    served = 0
    with pytest.raises(error) as caught:
        for served in range(MANY):
            answer = ask(**options)
            if options.get("stream"):
                list(answer)
    return caught.value, served


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_limit_is_a_rate_limit_error_that_tells_how_it_stands(limited, ask, stream):
    error, served = refused(ask(limited, "key", 0), ask.errors.RateLimitError, stream=stream)
    assert served >= 1
    assert error.status_code == 429 and "`one-a-second`" in error.message
    if ask.errors is openai:
        assert (error.code, error.type) == ("rate_limit_exceeded", "rate_limit_error")
    else:
        assert error.body["type"] == "error" and error.body["error"]["type"] == "rate_limit_error"
    headers = error.response.headers
    assert headers["retry-after"] == "1"
    assert headers["x-ratelimit-limit-requests"] == "1" and headers["x-ratelimit-remaining-requests"] == "0"
    assert headers["x-ratelimit-reset-requests"].endswith("s")
    assert headers["x-ratelimit-limit-tokens"] == "100000" and headers["x-ratelimit-reset-tokens"].endswith("s")
    assert 0 < int(headers["x-ratelimit-remaining-tokens"]) <= 100_000


def test_what_is_let_in_tells_it_too(limited, ask):
    headers = ask(limited, "key", 0)(raw=True).headers
    assert headers["x-ratelimit-limit-requests"] == "1" and headers["x-ratelimit-remaining-requests"] == "0"
    assert 0 < int(headers["x-ratelimit-remaining-tokens"]) < 100_000


def test_who_waits_as_long_as_it_is_told_is_let_in(limited, ask):
    patient = ask(limited, "key", 2)
    taken = [patient(raw=True).retries_taken for _ in range(3)]
    assert taken[0] == 0 and any(taken[1:])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_spent_budget_is_a_quota_that_is_used_up(poor, ask, stream):
    error, served = refused(ask(poor, "poor", 0), ask.errors.RateLimitError, stream=stream)
    assert served >= 1
    assert error.status_code == 429 and "`budget daily_tokens`" in error.message
    if ask.errors is openai:
        assert (error.code, error.type) == ("insufficient_quota", "insufficient_quota")
    else:
        assert error.body["error"]["type"] == "rate_limit_error"
    headers = error.response.headers
    assert headers["x-dragoman-budget-warning"] == "budget daily_tokens"
    assert 0 < int(headers["retry-after"]) <= 86_400
