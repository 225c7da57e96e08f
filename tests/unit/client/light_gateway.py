"""A gateway that knows nothing but the blocks of a light chain, for clients without asynchrony."""

from collections.abc import Sequence

import httpx
import msgspec
from tests.unit.engine.comet.light_chain import CHAIN, commit_answer, validators_answer

from gridtokenx.client.client import Client
from gridtokenx.engine.comet.headers import LightBlock
from gridtokenx.gateway import documents


def gateway_with(blocks: Sequence[LightBlock]) -> Client:
    """A client of it."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/status":
            status = documents.StatusView(CHAIN, "", 1, len(blocks), 0, "", 0, 0, 0, "")
            return httpx.Response(200, content=msgspec.json.encode(status))
        *_, kind, height = request.url.path.split("/")
        if int(height) > len(blocks):
            return httpx.Response(404, json={"code": 902, "name": "NOT_FOUND", "field": "height", "detail": ""})
        shown = {"commits": commit_answer, "validators": validators_answer}[kind]
        return httpx.Response(200, json=shown(blocks[int(height) - 1]))

    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://localhost")
    return Client("http://localhost", http=http, pause=lambda seconds: None)
