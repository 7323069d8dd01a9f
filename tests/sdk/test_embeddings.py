"""Vectors by OpenAI's SDK, which asks for base64 unless it is told otherwise, from every provider that makes them."""

import base64
import json
import struct

import openai
import pytest
from canned import provider, providers
from conftest import KEYS, options, serve

#: What a float of four bytes holds exactly, and what it does not.
VECTORS = [[0.5, -0.25, 1.0], [0.1, -1e-7, 3.4e38]]

MODELS = ["openai/text-embedding-3-small", "gemini/gemini-embedding-001", "ollama/nomic-embed-text"]


def answer(path, body):
    request = json.loads(body)
    if path == "/v1/embeddings":
        packed = request.get("encoding_format") == "base64"
        given = [request["input"]] if isinstance(request["input"], str) else request["input"]
        pack = lambda vector: base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        data = [
            {"object": "embedding", "index": index, "embedding": pack(vector) if packed else vector}
            for index, vector in enumerate(VECTORS[: len(given)])
        ]
        usage = {"prompt_tokens": 4, "total_tokens": 4}
        return 200, "application/json", {"object": "list", "data": data, "model": request["model"], "usage": usage}
    if path.endswith(":batchEmbedContents"):
        vectors = [{"values": vector} for vector in VECTORS[: len(request["requests"])]]
        return 200, "application/json", {"embeddings": vectors, "usageMetadata": {"promptTokenCount": 4}}
    if path == "/api/embed":
        vectors = VECTORS[: len(request["input"])]
        return 200, "application/json", {"model": request["model"], "embeddings": vectors, "prompt_eval_count": 4}
    return 404, "application/json", {"error": {"message": path}}


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    with provider(answer) as canned:
        more = {"providers": providers(canned.url), "aliases": {"any": ["anthropic/claude-haiku-4-5", *MODELS]}}
        with serve(tmp_path_factory.mktemp("vectors"), KEYS, **more) as served:
            with openai.OpenAI(**options(served)) as client:
                yield client


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}, {"encoding_format": "base64"}], ids=str)
def test_numbers_arrive_as_the_provider_meant_them(vectors, model, encoding):
    told = vectors.embeddings.create(model=model, input=["first", "second"], dimensions=3, **encoding)
    assert (told.object, [item.index for item in told.data], told.usage.total_tokens) == ("list", [0, 1], 4)
    got = [item.embedding for item in told.data]
    if encoding.get("encoding_format") == "base64":
        got = [list(struct.unpack("<3f", base64.b64decode(vector))) for vector in got]
    if encoding.get("encoding_format") == "float":
        assert got == VECTORS
    else:
        assert got == [list(struct.unpack("<3f", struct.pack("<3f", *vector))) for vector in VECTORS]


def test_one_text_is_one_vector_of_whoever_makes_them(vectors):
    told = vectors.embeddings.create(model="any", input="first", encoding_format="float")
    assert [item.embedding for item in told.data] == VECTORS[:1]


def test_who_makes_none_is_said(vectors):
    with pytest.raises(openai.BadRequestError, match="makes no embeddings") as raised:
        vectors.embeddings.create(model="anthropic/claude-haiku-4-5", input="first")
    assert raised.value.param == "model"
    with pytest.raises(openai.BadRequestError, match="token numbers"):
        vectors.embeddings.create(model="gemini/gemini-embedding-001", input=[[1, 2], [3]])
