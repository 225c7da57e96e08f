"""The page's files: what is sent for which path, how it may be kept, and that nothing else can be asked for."""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.routing import Match, Route
from tests.unit.gateway.market import Market, story

from gridtokenx.gateway.page import PageRoute, accepted_encodings, load_page

SCRIPT = b"console.log('a page')\n" * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dist = tmp_path / "dist"
    (dist / "assets" / "fonts").mkdir(parents=True)
    (dist / "index.html").write_text("<!doctype html><title>ตลาด</title>")
    (dist / "assets" / "main-1a2b.js").write_bytes(SCRIPT)
    (dist / "assets" / "main-1a2b.js.gz").write_bytes(gzip.compress(SCRIPT))
    (dist / "assets" / "main-1a2b.js.br").write_bytes(b"pretend")
    (dist / "assets" / "fonts" / "thai.woff2").write_bytes(b"\x00\x01")
    (dist / "favicon.svg").write_text("<svg/>")
    (dist / "lonely.js.gz").write_bytes(b"no plain one")
    (tmp_path / "secret.txt").write_text("secret")
    (dist / "link.txt").symlink_to(tmp_path / "secret.txt")
    (dist / "assets" / "out").symlink_to(tmp_path, target_is_directory=True)
    return dist


def visit(folder: Path | None, visit_page: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def status(_: object) -> PlainTextResponse:
        return PlainTextResponse("the API's")

    app = FastAPI(openapi_url=None)
    app.router.routes[:] = [Route("/v1/status", status), PageRoute(load_page(folder))]

    async def life() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
            await visit_page(web)

    asyncio.run(life())


def test_the_pages_own_paths_get_the_index(folder: Path) -> None:
    async def story(web: httpx.AsyncClient) -> None:
        for path in ("/", "/market", "/account/bill", "/healthy", "/v1x", "/etc/passwd", "/%00", "/ตลาด"):
            answer = await web.get(path)
            assert answer.status_code == 200 and "ตลาด" in answer.text, path
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.headers["cache-control"] == "no-cache"
        tag = answer.headers["etag"]
        for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
            again = await web.get("/", headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await web.get("/", headers={"If-None-Match": '"x"'})).status_code == 200
        assert (await web.get("/v1/status")).text == "the API's"

    visit(folder, story)


@pytest.mark.parametrize(
    "path",
    [
        *("/v1", "/v1/nothing", "/metrics/x", "/health/no", "/problems", "/openapi.json"),
        *("/no.js", "/assets/no.js", "/../secret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt"),
        *("/assets/..%2f..%2fsecret.txt", "/..%5csecret.txt", "//secret.txt", "/link.txt", "/assets/out/secret.txt"),
        *("/lonely.js", "/lonely.js.gz", "/assets/main-1a2b.js.br", "/index.html/", "/.", "/assets/./main-1a2b.js"),
        "/%2fetc%2fpasswd.txt",
    ],
)
def test_nothing_else_can_be_asked_for(folder: Path, path: str) -> None:
    # As a server hands over what a hostile client wrote: percent signs resolved, nothing tidied up.
    scope = {"type": "http", "method": "GET", "path": unquote(path)}
    assert PageRoute(load_page(folder)).matches(scope)[0] is Match.NONE


def test_assets_are_kept_for_ever_and_sent_compressed(folder: Path) -> None:
    async def story(web: httpx.AsyncClient) -> None:
        path = "/assets/main-1a2b.js"
        plain = await web.get(path, headers={"Accept-Encoding": "identity"})
        assert plain.content == SCRIPT and "content-encoding" not in plain.headers
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
        assert plain.headers["vary"] == "Accept-Encoding"
        zipped = await web.get(path, headers={"Accept-Encoding": "br;q=0, gzip"})
        assert (zipped.headers["content-encoding"], zipped.content) == ("gzip", SCRIPT)
        assert zipped.headers["etag"] != plain.headers["etag"]
        head = await web.head(path, headers={"Accept-Encoding": "br, gzip"})
        assert (head.headers["content-encoding"], head.headers["content-length"], head.content) == ("br", "7", b"")
        font = await web.get("/assets/fonts/thai.woff2")
        assert (font.headers["content-type"], "vary" in font.headers) == ("font/woff2", False)
        assert (await web.head("/")).headers["content-length"] == str(len((await web.get("/")).content))
        assert (await web.get("/favicon.svg")).headers["cache-control"] == "no-cache"
        assert (await web.post("/")).status_code == 404

    visit(folder, story)


def test_without_a_built_page_one_is_told_how_to_build_it() -> None:
    async def story(web: httpx.AsyncClient) -> None:
        answer = await web.get("/")
        assert answer.status_code == 200 and "make setup" in answer.text and "ตลาด" in answer.text
        assert (await web.get("/assets/main.js")).status_code == 404

    visit(None, story)


def test_a_folder_that_is_no_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"index\.html"):
        load_page(tmp_path)


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip, deflate, br", {"gzip", "deflate", "br"}),
        ("GZIP;q=1.0 , br;q=0", {"gzip"}),
        ("br; q=0.000, gzip;q=0.1", {"gzip"}),
        ("", {""}),
    ],
)
def test_encodings_that_are_taken(header: str, accepted: set[str]) -> None:
    assert accepted_encodings(header) == accepted


@given(st.text(max_size=40))
def test_no_header_is_an_error(header: str) -> None:
    accepted_encodings(header)


@story
async def test_the_gateway_serves_the_page_behind_its_api(market: Market) -> None:
    assert (await market.web.get("/")).headers["content-type"] == "text/html; charset=utf-8"
    assert (await market.web.get("/some/view")).status_code == 200
    assert (await market.web.get("/v1/nothing")).json()["name"] == "NOT_FOUND"
    assert (await market.web.get("/no.js")).json()["name"] == "NOT_FOUND"
    assert (await market.web.delete("/v1/status")).json()["name"] == "METHOD_NOT_ALLOWED"
    assert (await market.web.get("/openapi.json")).json()["openapi"]
