"""The client in TypeScript has a method for each route that is there for clients."""

import re
from pathlib import Path

from fastapi.routing import APIRoute

from gridtokenx.gateway.app import ROUTERS

SOURCE = Path(__file__).parents[2] / "packages" / "sdk" / "src"

OTHERS = {
    "/health/live": "for supervisors",
    "/metrics": "for Prometheus",
    "/problems/{}": "for people who follow the `type` of a refusal; `/v1/codes` has all of them",
    "/v1/accounts/{}/bill.csv": "for spreadsheets; `bill` has the same numbers",
}


def spelled(path: str) -> str:
    """A path with its parameters left blank."""
    return re.sub(r"\$?\{[^}]*\}", "{}", path)


def test_every_route_has_a_call_and_every_call_a_route() -> None:
    routes = {spelled(route.path) for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)}
    calls = set(map(spelled, re.findall(r'["`](/(?:v1|health)[^"`]*)["`]', (SOURCE / "calls.ts").read_text("utf-8"))))
    assert calls == routes - OTHERS.keys()
    assert routes.issuperset(OTHERS)


def test_every_call_is_a_method() -> None:
    calls = set(re.findall(r"export function (\w+)\(.*\): Call<", (SOURCE / "calls.ts").read_text("utf-8")))
    client, sending = (SOURCE / "client.ts").read_text("utf-8"), (SOURCE / "sending.ts").read_text("utf-8")
    assert len(calls) > 25
    assert {name for name in calls if f"calls.{name}(" not in client + sending} == set()
