"""The models that the official SDK is told of: what a key may use, and nothing else."""

import openai
import pytest
from material import HELLO

ALIAS = "house"


def test_models_are_listed_newest_first_then_what_stands_for_them(client):
    models = client.models.list().data
    assert models[-1].id == ALIAS
    created = [model.created for model in models[:-1]]
    assert created == sorted(created, reverse=True)
    by_id = {model.id: model for model in models}
    mini = by_id["openai/gpt-4o-mini"]
    assert (mini.object, mini.owned_by) == ("model", "openai")
    # Members of the gateway's own are kept by the SDK.
    assert mini.context_window == 128_000
    assert mini.price == {"input": 0.15, "cached_input": 0.075, "output": 0.6}
    assert "tools" in mini.capabilities
    assert by_id[ALIAS].alias_of == ["openai/gpt-4o-mini"]


def test_every_listed_model_is_retrieved_by_its_id(client):
    # The SDK escapes the slash.
    for model in client.models.list():
        assert client.models.retrieve(model.id) == model


def test_a_model_is_retrieved_and_asked_for_by_any_of_its_names(client):
    for name in ["openai/gpt-4o-mini", "gpt-4o-mini"]:
        assert client.models.retrieve(name).id == "openai/gpt-4o-mini"
        assert client.chat.completions.create(model=name, messages=HELLO).model == "gpt-4o-mini"
    assert client.models.retrieve(ALIAS).id == ALIAS
    assert client.chat.completions.create(model=ALIAS, messages=HELLO).model == "gpt-4o-mini"


def test_a_key_is_told_of_its_scope_only(client_with):
    with client_with("narrow") as narrow:
        assert [model.id for model in narrow.models.list()] == ["openai/gpt-4o-mini", ALIAS]
        for hidden in ["openai/gpt-4o", "gpt-4o", "anthropic/claude-haiku-4-5"]:
            with pytest.raises(openai.NotFoundError) as raised:
                narrow.models.retrieve(hidden)
            assert raised.value.code == "model_not_found"


def test_the_list_is_narrowed_by_its_query(client):
    listed = client.models.list(extra_query={"provider": "anthropic,gemini", "q": "flash", "group_snapshots": "true"})
    assert listed.data and all(model.id.startswith("gemini/gemini-") for model in listed)


def test_a_dead_key_is_told_nothing(client_with):
    with client_with("expired") as expired, pytest.raises(openai.AuthenticationError):
        expired.models.list()


def test_models_cannot_be_deleted(client):
    with pytest.raises(openai.APIStatusError) as raised:
        client.models.delete("openai/gpt-4o")
    assert raised.value.status_code == 405
