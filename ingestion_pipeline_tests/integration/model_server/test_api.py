"""The API of the model server, asked by OpenAI's own client, over a Unix socket and over TCP."""

import base64
from collections.abc import Iterator

import httpx2 as httpx
import numpy as np
import openai
import pytest

from ingestion_pipeline.demo import EPISODES
from ingestion_pipeline.embedding.embedder import MINILM, InProcessEmbedder
from ingestion_pipeline.errors import EnvironmentFault
from ingestion_pipeline.serving.server import listening_at
from ingestion_pipeline.speech.formats import to_srt, to_vtt
from ingestion_pipeline.speech.recogniser import InProcessWhisper
from ingestion_pipeline_tests.support.model_servers import DEMO, audio_of, model_server, tcp_server

HERE = InProcessWhisper(DEMO).transcribe
EPISODE = EPISODES[0]


@pytest.fixture(scope="module", params=["unix", "tcp"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    if request.param == "unix":
        with model_server(tmp_path_factory.mktemp("server")) as server:
            transport = httpx.HTTPTransport(uds=str(server.address().socket_path))
            with httpx.Client(transport=transport) as http:
                yield openai.OpenAI(base_url="http://localhost/v1", api_key="none", http_client=http, max_retries=0)
    else:
        with tcp_server(key="secret", upload_bytes=1_000_000) as address:
            yield openai.OpenAI(base_url=f"{address.url}/v1", api_key="secret", max_retries=0)


def test_each_format(client: openai.OpenAI) -> None:
    transcript = HERE("v1", audio_of(EPISODE), "en", print).transcript

    def answer(form: str) -> object:
        return client.audio.transcriptions.create(file=EPISODE, model="demo-en", language="en", response_format=form)

    assert answer("json").text == transcript.text
    assert answer("text").strip() == transcript.text
    assert answer("srt") == to_srt(transcript)
    assert answer("vtt") == to_vtt(transcript)
    verbose = answer("verbose_json")
    assert (verbose.language, verbose.duration) == ("en", transcript.duration_s)
    told = [(one.start, one.end, one.text, one.avg_logprob) for one in verbose.segments]
    assert told == [(one.start, one.end, one.text, one.avg_logprob) for one in transcript.segments]
    assert verbose.words is None


def test_words_with_times(client: openai.OpenAI) -> None:
    verbose = client.audio.transcriptions.create(
        file=EPISODE, model="demo-en", response_format="verbose_json", timestamp_granularities=["word"]
    )
    assert " ".join(word.word for word in verbose.words) == verbose.text
    assert all(word.start <= word.end for word in verbose.words)
    assert verbose.segments is None


def test_a_stream_tells_the_text_as_it_is_heard(client: openai.OpenAI) -> None:
    events = list(client.audio.transcriptions.create(file=EPISODE, model="whisper-1", language="en", stream=True))
    assert {event.type for event in events[:-1]} == {"transcript.text.delta"}
    assert events[-1].type == "transcript.text.done"
    assert "".join(event.delta for event in events[:-1]).strip() == events[-1].text


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings(client: openai.OpenAI, encoding: str) -> None:
    texts = ["the bees make honey", "the lamp was dark"]
    answer = client.embeddings.create(input=texts, model=MINILM, encoding_format=encoding)
    vectors = [
        np.frombuffer(base64.b64decode(one.embedding), "<f4") if encoding == "base64" else np.array(one.embedding)
        for one in answer.data
    ]
    np.testing.assert_allclose(vectors, InProcessEmbedder(MINILM).documents(texts), atol=1e-5)
    assert [one.index for one in answer.data] == [0, 1]


def test_a_query_is_embedded_as_one(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(input="honey", model=MINILM, extra_body={"input_type": "query"})
    np.testing.assert_allclose(answer.data[0].embedding, InProcessEmbedder(MINILM).query("honey"), atol=1e-5)


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    assert "demo-en" in {model.id for model in client.models.list()}


def test_bad_requests_get_the_form_of_the_api(client: openai.OpenAI) -> None:
    create = client.audio.transcriptions.create
    with pytest.raises(openai.NotFoundError, match="not large-v9") as unknown:
        create(file=EPISODE, model="large-v9")
    assert (unknown.value.code, unknown.value.type) == ("model_not_found", "invalid_request_error")
    with pytest.raises(openai.BadRequestError, match="cannot be decoded"):
        create(file=("page.mp3", b"<html>"), model="demo-en")
    with pytest.raises(openai.APIError, match="cannot be decoded"):
        list(create(file=("page.mp3", b"<html>"), model="demo-en", stream=True))
    with pytest.raises(openai.BadRequestError, match="knows only English"):
        create(file=EPISODE, model="demo-en", language="de")
    with pytest.raises(openai.BadRequestError, match="prompt is not supported"):
        create(file=EPISODE, model="demo-en", prompt="bees")
    with pytest.raises(openai.BadRequestError, match="response_format xml is not one of"):
        create(file=EPISODE, model="demo-en", response_format="xml")
    with pytest.raises(openai.BadRequestError, match="temperature"):
        create(file=EPISODE, model="demo-en", temperature=0.7)
    with pytest.raises(openai.BadRequestError, match="temperature warm is not a number"):
        create(file=EPISODE, model="demo-en", extra_body={"temperature": "warm"})
    with pytest.raises(openai.NotFoundError, match="POST /v1/chat/completions: Not Found"):
        client.chat.completions.create(model="demo-en", messages=[])
    with pytest.raises(openai.NotFoundError, match="/no/such"):
        client.embeddings.create(input="x", model="/no/such")
    with pytest.raises(openai.BadRequestError, match="neither a text nor a list"):
        client.embeddings.create(input=[], model=MINILM)
    with pytest.raises(openai.BadRequestError, match="384 dimensions"):
        client.embeddings.create(input="x", model=MINILM, dimensions=5)
    with pytest.raises(openai.BadRequestError, match="384 dimensions"):
        client.embeddings.create(input="x", model=MINILM, dimensions=[384])  # type: ignore[arg-type]


def test_too_large_an_upload_is_refused(client: openai.OpenAI) -> None:
    if client.base_url.host == "localhost":
        pytest.skip("on a Unix socket audio is passed by its path; only the limit on TCP is set low here")
    with pytest.raises(openai.APIStatusError, match="larger than 1 MB") as refusal:
        client.audio.transcriptions.create(file=("large.wav", bytes(2_000_000)), model="demo-en")
    assert (refusal.value.status_code, refusal.value.code) == (413, "too_large")


def test_without_the_key_nothing_is_served(client: openai.OpenAI) -> None:
    if client.base_url.host == "localhost":
        pytest.skip("on a Unix socket the file's owner is the key")
    with pytest.raises(openai.AuthenticationError, match="API key is missing or wrong"):
        client.with_options(api_key="other").models.list()


def test_beyond_loopback_a_key_is_required() -> None:
    with pytest.raises(EnvironmentFault, match="MODEL_SERVER_API_KEY"):
        listening_at("0.0.0.0", 0, None)
    listening_at("0.0.0.0", 0, "secret").close()
