"""The golden vectors in a real browser, and a key file that goes into it and comes back."""

import http.server
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.keystore import decrypt_key, encrypt_key

pytestmark = pytest.mark.slow

OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def page(vectors_page: Path) -> Iterator[Page]:
    """The page of the vectors, when it is done."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on this machine")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(vectors_page))) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium, args=OPTIONS)
                opened = browser.new_page()
                opened.goto(f"http://127.0.0.1:{server.server_port}/browser.html")
                opened.wait_for_selector("body[data-state]")
                yield opened
                browser.close()
        finally:
            server.shutdown()
            serving.join()


def test_all_golden_vectors_hold(page: Page) -> None:
    lines = page.locator("#results li").all_inner_texts()
    # All but those of the light client, which this SDK does not have.
    assert len(lines) == len(list((Path(__file__).parents[1] / "vectors").glob("*.json"))) - 1
    assert [line for line in lines if not line.endswith(": holds")] == []
    assert page.locator("body").get_attribute("data-state") == "passed"


def test_key_files_go_both_ways(page: Page) -> None:
    key = PrivateKey.generate()
    file = encrypt_key(key, "ไฟฟ้า", 4).decode()
    made = page.evaluate(
        """async ([file, passphrase]) => {
            const key = await gridtokenx.decryptKey(file, passphrase);
            return [await gridtokenx.encryptKey(key, passphrase), gridtokenx.phraseOf(key)];
        }""",
        [file, "ไฟฟ้า"],
    )
    assert decrypt_key(made[0].encode(), "ไฟฟ้า") == key
    assert made[1] == key.phrase()
