"""Kept answers, as the official SDKs read them: the same object, or the same events, and the header that says so."""

import anthropic
import openai
import pytest
from conftest import KEYS, options, serve
from material import HELLO

MODELS = ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"]


@pytest.fixture(scope="module")
def keeping(tmp_path_factory):
    routers = {"faq": {"cache": {"directive": "max-age=600"}}}
    with serve(tmp_path_factory.mktemp("keeping"), KEYS, routers=routers) as served:
        served.origin += "/router/faq"
        served.url = f"{served.origin}/v1"
        yield served


def twice(ask):
    """What is asked for, and what was kept of it, each with what the header says."""
    (given, first), (kept, second) = ask(), ask()
    assert (first, second) == ("miss", "hit")
    assert kept == given
    return kept


@pytest.mark.parametrize("model", MODELS)
def test_openai_s_sdk_reads_kept_chats_and_streams(keeping, model):
    with openai.OpenAI(**options(keeping)) as client:

        def whole():
            raw = client.chat.completions.with_raw_response.create(model=model, messages=HELLO)
            return raw.parse(), raw.headers.get("x-dragoman-cache")

        def streamed():
            raw = client.chat.completions.with_raw_response.create(model=model, messages=HELLO, stream=True)
            return list(raw.parse()), raw.headers.get("x-dragoman-cache")

        assert twice(whole).choices[0].message.content
        assert "".join(chunk.choices[0].delta.content or "" for chunk in twice(streamed) if chunk.choices)


@pytest.mark.parametrize("model", MODELS)
def test_anthropic_s_sdk_reads_kept_messages_and_streams(keeping, model):
    key = keeping.keys["full"]
    with anthropic.Anthropic(base_url=keeping.origin, api_key=key, max_retries=0, timeout=30) as client:
        question = {"model": model, "max_tokens": 256, "messages": HELLO}

        def whole():
            raw = client.messages.with_raw_response.create(**question)
            return raw.parse(), raw.headers.get("x-dragoman-cache")

        def streamed():
            with client.messages.stream(**question) as stream:
                return stream.get_final_message(), stream.response.headers.get("x-dragoman-cache")

        assert twice(whole).content[0].text
        assert twice(streamed).content[0].text
