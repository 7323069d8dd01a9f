"""Pictures by OpenAI's SDK, whole and in parts; and what passes beside: a voice, a transcript, files, a moderation."""

import base64
import io
import json

import openai
import pytest
from canned import provider, providers
from conftest import KEYS, options, serve

PICTURE = base64.b64encode(b"\x89PNG" * 50_000).decode()


def answer(path, body):
    if path == "/v1/images/generations":
        request = json.loads(body)
        usage = {"input_tokens": 4, "output_tokens": 7, "total_tokens": 11}
        if not request.get("stream"):
            return 200, "application/json", {"created": 1, "data": [{"b64_json": PICTURE}], "usage": usage}
        parts = [
            {"type": "image_generation.partial_image", "b64_json": "AAAA", "partial_image_index": 0},
            {"type": "image_generation.completed", "b64_json": PICTURE, "usage": usage},
        ]
        events = "".join(f"event: {part['type']}\ndata: {json.dumps(part)}\n\n" for part in parts)
        return 200, "text/event-stream", events.encode()
    if path.endswith(":generateContent"):
        part = {"inlineData": {"mimeType": "image/png", "data": PICTURE}}
        usage = {"promptTokenCount": 4, "candidatesTokenCount": 7}
        candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
        return 200, "application/json", {"candidates": [candidate], "usageMetadata": usage}
    if path == "/v1/audio/speech":
        return 200, "audio/mpeg", b"\xff\xfb" * 1000
    if path == "/v1/audio/transcriptions":
        return 200, "application/json", {"text": f"{len(body)} bytes"}
    if path == "/v1/moderations":
        return 200, "application/json", {"id": "modr-1", "model": json.loads(body)["model"], "results": []}
    if path.startswith("/v1/files"):
        return 200, "application/json", {"object": "list", "data": [], "has_more": False}
    return 404, "application/json", {"error": {"message": path}}


@pytest.fixture(scope="module")
def canned(tmp_path_factory):
    with provider(answer) as canned:
        with serve(tmp_path_factory.mktemp("images"), KEYS, providers=providers(canned.url)) as served:
            with openai.OpenAI(**options(served)) as canned.client:
                yield canned


@pytest.mark.parametrize("model", ["openai/gpt-image-1", "gemini/gemini-3-pro-image"])
def test_a_picture_is_drawn_and_its_tokens_are_told(canned, model):
    drawn = canned.client.images.generate(model=model, prompt="A cat", size="1536x1024", quality="high")
    assert [picture.b64_json for picture in drawn.data] == [PICTURE]
    assert (drawn.usage.input_tokens, drawn.usage.output_tokens, drawn.usage.total_tokens) == (4, 7, 11)


def test_a_picture_comes_in_parts(canned):
    parts = list(canned.client.images.generate(model="openai/gpt-image-1", prompt="A cat", stream=True, partial_images=1))
    assert [part.type for part in parts] == ["image_generation.partial_image", "image_generation.completed"]
    assert (parts[-1].b64_json, parts[-1].usage.total_tokens) == (PICTURE, 11)


def test_what_a_provider_cannot_draw_is_the_caller_s_error(canned):
    for wish, param in [({"n": 2}, "n"), ({"response_format": "url"}, "response_format"), ({"stream": True}, "stream")]:
        with pytest.raises(openai.BadRequestError) as raised:
            canned.client.images.generate(model="gemini/gemini-3-pro-image", prompt="A cat", **wish)
        assert raised.value.param == param


def test_a_voice_and_a_moderation_pass(canned):
    voice = canned.client.audio.speech.create(model="openai/tts-1", voice="alloy", input="Hello")
    assert voice.read() == b"\xff\xfb" * 1000
    told = canned.client.moderations.create(model="openai/omni-moderation-latest", input="Hello")
    assert (told.id, told.model) == ("modr-1", "omni-moderation-latest")


def test_a_form_reaches_its_provider_as_it_was_sent(canned):
    sound = io.BytesIO(b"\0" * 3_000_000)
    sound.name = "sound.wav"
    told = canned.client.audio.transcriptions.create(model="whisper-1", file=sound)
    path, body = canned.requests[-1]
    assert (path, told.text) == ("/v1/audio/transcriptions", f"{len(body)} bytes")
    assert len(body) > 3_000_000 and b"whisper-1" in body


def test_files_are_listed_at_the_provider_that_is_named(canned):
    files = canned.client.files.list(extra_headers={"x-dragoman-provider": "openai"})
    assert list(files) == []
    with pytest.raises(openai.BadRequestError, match="/gemini/"):
        canned.client.files.list(extra_headers={"x-dragoman-provider": "gemini"})
