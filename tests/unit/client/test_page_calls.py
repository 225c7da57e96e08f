"""What the clients ask for the page: the same in both, and nothing that is not understood passes."""

import inspect

import httpx
import pytest

from gridtokenx.client import calls
from gridtokenx.client.async_client import AsyncClient
from gridtokenx.client.client import Client
from gridtokenx.client.errors import AnswerNotUnderstood, NotFound, Unavailable
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.wallet import Wallet


def parameters_of(kind: type, name: str) -> list[str]:
    return list(inspect.signature(getattr(kind, name)).parameters)


def test_both_clients_have_the_same_methods() -> None:
    names = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if not name.startswith("_")}
    asynchronous = {name for name, _ in inspect.getmembers(AsyncClient, inspect.isfunction) if not name.startswith("_")}
    assert names <= asynchronous
    for name in names - {"close"}:
        assert parameters_of(Client, name) == parameters_of(AsyncClient, name)


def test_a_table_is_a_text() -> None:
    call = calls.bill_table(bytes(32), month="2023-03")
    assert call.read(200, b"day,bill_micro\r\n") == "day,bill_micro\r\n"
    assert call.parameters == {"month": "2023-03"}
    with pytest.raises(AnswerNotUnderstood):
        call.read(200, b"\xff")
    with pytest.raises(NotFound):
        call.read(404, b'{"code": 902, "name": "NOT_FOUND", "field": "path", "detail": ""}')


@pytest.mark.parametrize("status", [502, 503, 504])
def test_the_page_of_a_proxy_says_that_the_gateway_is_away(status: int) -> None:
    with pytest.raises(Unavailable) as away:
        calls.status().read(status, b"<html>Bad Gateway</html>")
    assert away.value.status == status
    with pytest.raises(AnswerNotUnderstood):
        calls.status().read(500, b"<html>no gateway of ours</html>")


def test_a_challenge_for_somebody_else_is_never_signed_for_the_faucet() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        return httpx.Response(200, json={"challenge": "00", "lifetime_ms": 1})

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://localhost")
    with Client("http://localhost", http=http) as client, pytest.raises(AnswerNotUnderstood):
        client.join(Wallet([PrivateKey.generate()]))
    assert sent == ["/v1/challenges"]
