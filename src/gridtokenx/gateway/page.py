"""The page: the files that the package `gridtokenx_web` was built to, at `/`.

All files are read when the gateway starts, and a path is looked up among them: nothing else can be asked for, whatever
a path says. Every path without a dot that is not the API's is the page's own and gets `index.html`, which is asked for
anew each time; what lies under `assets/` has its hash in its name and may be kept for ever. Where a file stands beside
its compressed form (`.br`, `.gz`), that one is sent to whoever takes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

PACKAGE = "gridtokenx_web"
INDEX = "/index.html"
ASSETS = "/assets/"
BYTES_MAX = 64 * 1024 * 1024
"""Of all files together: they are held in memory."""

API_PATHS = ("/v1", "/health", "/metrics", "/openapi.json", "/problems")
ENCODINGS = {".br": "br", ".gz": "gzip"}
"""Ending of a compressed file → its name in HTTP; the better one first."""

FOR_EVER = "public, max-age=31536000, immutable"
ASK_ANEW = "no-cache"

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}

NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>GridTokenX</title>
<h1>GridTokenX</h1>
<p>The market runs. Its page is not built yet: <code>make setup</code> builds it, then start the market again.</p>
<p lang="th">ตลาดทำงานอยู่ แต่ยังไม่ได้สร้างหน้าเว็บ ใช้คำสั่ง <code>make setup</code> แล้วเริ่มตลาดใหม่</p>
<p>The API is there: <a href="/v1/status">/v1/status</a>, <a href="/openapi.json">/openapi.json</a>.</p>
</html>
"""


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file in each of its encodings; the plain one is `""`."""

    media_type: str
    caching: str
    contents: Mapping[str, bytes]
    tags: Mapping[str, str]

    @classmethod
    def of(cls, path: str, contents: Mapping[str, bytes]) -> "PageFile":
        """The file at this path."""
        media_type = MEDIA_TYPES.get(Path(path).suffix, "application/octet-stream")
        caching = FOR_EVER if path.startswith(ASSETS) else ASK_ANEW
        tags = {encoding: f'"{sha256(content).hexdigest()[:32]}"' for encoding, content in contents.items()}
        return cls(media_type, caching, contents, tags)

    def answer(self, request: Request) -> Response:
        """To GET and HEAD: 304 for whoever has it already."""
        accepted = accepted_encodings(request.headers.get("accept-encoding", ""))
        encoding = next((name for name in ENCODINGS.values() if name in self.contents and name in accepted), "")
        headers = {"Cache-Control": self.caching, "ETag": self.tags[encoding]}
        if len(self.contents) > 1:
            headers["Vary"] = "Accept-Encoding"
        if self._is_known(request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
        if encoding:
            headers["Content-Encoding"] = encoding
        content = self.contents[encoding]
        headers["Content-Length"] = str(len(content))
        body = b"" if request.method == "HEAD" else content
        return Response(body, headers=headers, media_type=self.media_type)

    def _is_known(self, if_none_match: str) -> bool:
        named = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
        return "*" in named or not named.isdisjoint(self.tags.values())


def accepted_encodings(header: str) -> frozenset[str]:
    """The content codings that `Accept-Encoding` names without forbidding them (`q=0`)."""
    accepted = set()
    for item in header.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        weights = [parameter.removeprefix("q=") for parameter in parameters if parameter.startswith("q=")]
        if not any(weight.strip("0") in {"", "."} for weight in weights):
            accepted.add(name)
    return frozenset(accepted)


def page_folder() -> Path | None:
    """Where the built page lies; None if it is not installed, or not built."""
    found = find_spec(PACKAGE)
    places = [] if found is None else found.submodule_search_locations or []
    folders = [Path(place) / "dist" for place in places]
    return next((folder for folder in folders if (folder / "index.html").is_file()), None)


def load_page(folder: Path | None) -> dict[str, PageFile]:
    """The files of a built page by path; without a folder a page that says how to build it. Symbolic links are left
    out. Raises ValueError for a folder that is no page, or too large for memory."""
    if folder is None:
        return {INDEX: PageFile.of(INDEX, {"": NOT_BUILT.encode()})}
    contents: dict[str, dict[str, bytes]] = {}
    size = 0
    for file in sorted(folder.rglob("*")):
        inside = file.relative_to(folder)
        if not file.is_file() or any((folder / part).is_symlink() for part in (inside, *inside.parents)):
            continue
        size += file.stat().st_size
        if size > BYTES_MAX:
            raise ValueError(f"{folder} is no page: it has more than {BYTES_MAX} bytes")
        path, encoding = f"/{inside.as_posix()}", ENCODINGS.get(file.suffix, "")
        contents.setdefault(path.removesuffix(file.suffix) if encoding else path, {})[encoding] = file.read_bytes()
    files = {path: PageFile.of(path, own) for path, own in contents.items() if "" in own}
    if INDEX not in files:
        raise ValueError(f"{folder} is no page: it has no index.html")
    return files


class PageRoute(BaseRoute):
    """GET and HEAD of the page's files, and of all paths that are the page's own. To be the last route."""

    def __init__(self, files: Mapping[str, PageFile]) -> None:
        """`files` as `load_page` gives them."""
        self._files = files

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Nothing of the API's, nothing that is neither a file nor a path of the page's own."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return Match.NONE, {}
        return (Match.NONE if self._file(scope["path"]) is None else Match.FULL), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that matches."""
        file = self._file(scope["path"])
        assert file is not None, "it matched"
        await file.answer(Request(scope))(scope, receive, send)

    def _file(self, path: str) -> PageFile | None:
        if any(path == own or path.startswith(f"{own}/") for own in API_PATHS):
            return None
        return self._files.get(path) or (None if "." in path else self._files[INDEX])
