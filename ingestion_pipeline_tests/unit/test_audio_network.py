"""Which connections the guard lets through, tried on real sockets."""

import socket
import threading
from collections.abc import Iterator

import pytest

from ingestion_pipeline.audio import is_web_address, private_addresses_refused
from ingestion_pipeline.audio.network import shown
from ingestion_pipeline.errors import PrivateAddress


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def connect(host: str, port: int = 9) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        client.connect((host, port))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "localhost",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::a00:1",
        "2002:7f00:1::1",
    ],
)
def test_an_address_that_is_not_public_is_refused(host: str) -> None:
    with private_addresses_refused(), pytest.raises(PrivateAddress, match="ALLOW_PRIVATE_ADDRESSES"):
        connect(host)


def test_the_refusal_names_the_address() -> None:
    with private_addresses_refused(), pytest.raises(PrivateAddress, match=r"169\.254\.169\.254"):
        connect("169.254.169.254")


@pytest.mark.parametrize("host", ["192.0.2.1", "240.0.0.1"])
def test_reserved_addresses_are_refused_as_well(host: str) -> None:
    with private_addresses_refused(), pytest.raises(PrivateAddress):
        connect(host)


def test_a_public_address_is_not_refused() -> None:
    with private_addresses_refused(), pytest.raises(OSError):  # noqa: PT011 - in progress, or unreachable from here
        connect("1.1.1.1")


def test_everything_is_allowed_outside_the_block(listener: socket.socket) -> None:
    with private_addresses_refused():
        pass
    with socket.create_connection(listener.getsockname()):
        pass


def test_the_guard_holds_until_the_last_block_ends(listener: socket.socket) -> None:
    with private_addresses_refused():
        with private_addresses_refused():
            pass
        with pytest.raises(PrivateAddress):
            socket.create_connection(listener.getsockname())


def test_other_threads_are_held_too(listener: socket.socket) -> None:
    raised: list[BaseException] = []

    def attempt() -> None:
        try:
            socket.create_connection(listener.getsockname()).close()
        except PrivateAddress as error:
            raised.append(error)

    with private_addresses_refused():
        thread = threading.Thread(target=attempt)
        thread.start()
        thread.join()
    assert len(raised) == 1


def test_unix_sockets_stay_allowed(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.mktemp("s") / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        with private_addresses_refused():
            client.connect(path)


def test_the_proxy_of_the_environment_stays_allowed(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    host, port = listener.getsockname()
    monkeypatch.setenv("http_proxy", f"http://{host}:{port}")
    with private_addresses_refused():
        socket.create_connection((host, port)).close()
        with pytest.raises(PrivateAddress):
            connect(host, port + 1)


@pytest.mark.parametrize("url", ["http://example.org/a", "https://example.org", "HTTPS://example.org/a.mp3"])
def test_web_addresses(url: str) -> None:
    assert is_web_address(url)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://example.org/a", "data:audio/ogg,abc", "a.mp3", "", "http://", "http://[", "//h"],
)
def test_other_addresses(url: str) -> None:
    assert not is_web_address(url)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://pod.org/feed?auth=secret", "https://pod.org/feed?…"),
        ("https://pod.org/1.mp3", "https://pod.org/1.mp3"),
    ],
)
def test_messages_do_not_show_what_a_link_asks_with(url: str, text: str) -> None:
    assert shown(url) == text
