"""Each message, code, table, command and benchmark stands in the docs."""

import re
from pathlib import Path

import typer
from fastapi.routing import APIRoute, APIWebSocketRoute

from gridtokenx.cli.main import app
from gridtokenx.gateway.app import ROUTERS
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.modules.authority.state import ConsortiumTerms
from gridtokenx.operations.consortium.terms import CeremonyTerms
from make_reference import codes_reference, reference

ROOT = Path(__file__).parents[2]


def text_of(*names: str) -> str:
    return "\n".join((ROOT / name).read_text() for name in names)


def test_the_references_are_current() -> None:
    assert text_of("docs/messages.md") == reference(), "run `python scripts/make_reference.py`"
    assert text_of("docs/codes.md") == codes_reference(), "run `python scripts/make_reference.py`"


def test_every_route_stands_in_the_docs() -> None:
    paths = {
        route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute | APIWebSocketRoute)
    }
    page = text_of("docs/api.md")
    assert len(paths) > 15
    assert [path for path in sorted(paths) if f"`{path}`" not in page] == []


def test_every_code_of_the_gateway_stands_in_the_docs() -> None:
    page = text_of("docs/api.md")
    assert [code.name for code in GatewayCode if f"| {code.value} | `{code.name}` |" not in page] == []


def test_every_metric_stands_in_the_docs() -> None:
    sources = [path.read_text() for path in (ROOT / "src").rglob("metrics.py")]
    names = {name for source in sources for name in re.findall(r'"(gridtokenx_[a-z_]+)"', source)}
    page = text_of("docs/api.md")
    assert len(names) > 10
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_every_command_stands_in_the_readme() -> None:
    page = text_of("README.md")
    commands = typer.main.get_command(app)
    assert [
        name for name in sorted(commands.commands) if f"`{name}`" not in page and f"`gridtokenx {name}" not in page
    ] == []


def test_the_ceremony_page_names_each_command_and_term() -> None:
    page = text_of("docs/consortium.md")
    group = typer.main.get_command(app).commands["consortium"]
    assert [name for name in group.commands if f"consortium {name}" not in page] == []
    assert [name for name in CeremonyTerms.__struct_fields__ if name not in page] == []
    assert [name for name in ConsortiumTerms.__struct_fields__ if f"`{name}`" not in page] == []


def test_links_between_documents_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [(path, link) for path in pages for link in re.findall(r"\]\(([^)#]+)", path.read_text())]
    local = [(path, link) for path, link in links if "://" not in link]
    assert [f"{path.name} -> {link}" for path, link in local if not (path.parent / link).exists()] == []


def test_each_link_to_a_section_names_one_that_is_there() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("scenarios/*.md")]
    pages += [*ROOT.glob("packages/*/README.md"), *ROOT.glob("tests/*/README.md")]
    links = [(path, *link) for path in pages for link in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", path.read_text())]
    assert len(links) > 20
    assert [
        f"{path.name} -> {page}#{section}"
        for path, page, section in links
        if section not in sections_of(path.parent / page if page else path)
    ] == []


def sections_of(path: Path) -> set[str]:
    """The anchors of a page's headings, as repositories show them: lower case, words joined by hyphens."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
