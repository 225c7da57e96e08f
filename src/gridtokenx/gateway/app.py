"""The ASGI application: which routes there are."""

from collections.abc import Iterator
from typing import Final

from fastapi import APIRouter
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp

from gridtokenx.gateway import (
    authorities,
    billing,
    consensus,
    coupled,
    explanations,
    explorer,
    faucet,
    history,
    makers,
    overview,
    personal,
    portfolios,
    public,
    stream,
    transactions,
)
from gridtokenx.gateway.core import Gateway
from gridtokenx.gateway.entrance import Entrance, Surroundings
from gridtokenx.gateway.guard import Guard
from gridtokenx.gateway.openapi import describe_routes
from gridtokenx.gateway.page import PageRoute, load_page, page_folder

ROUTERS: Final[tuple[APIRouter, ...]] = (
    public.router,
    coupled.router,
    consensus.router,
    explanations.router,
    transactions.router,
    overview.router,
    explorer.router,
    authorities.router,
    personal.router,
    portfolios.router,
    makers.router,
    history.router,
    billing.router,
    faucet.router,
    stream.router,
)
"""In the order in which paths are tried."""


class Application(Starlette):
    """The routes behind the guard, with no other layer between.

    Routers are FastAPI's, which makes their description out of them; plain routes answer in their place, in half of the
    time.
    """

    def __init__(self, gateway: Gateway, surroundings: Surroundings) -> None:
        super().__init__(routes=[*_plain_routes(), describe_routes(ROUTERS), PageRoute(load_page(page_folder()))])
        self.router.redirect_slashes = False
        self.state.gateway = gateway
        self.state.entrance = Entrance(surroundings)
        self._metrics = gateway.metrics

    def build_middleware_stack(self) -> ASGIApp:
        """The guard alone: it refuses, it answers for mistakes, it counts."""
        return Guard(self.router, self.state.entrance, self._metrics)


def make_app(gateway: Gateway, surroundings: Surroundings | None = None) -> Starlette:
    """The application around a gateway; whoever makes it runs the gateway."""
    return Application(gateway, surroundings or Surroundings())


def _plain_routes() -> Iterator[BaseRoute]:
    for route in (route for router in ROUTERS for route in router.routes):
        if isinstance(route, APIRoute):
            yield Route(route.path, route.endpoint, methods=sorted(route.methods or ()))
        elif isinstance(route, APIWebSocketRoute):
            yield WebSocketRoute(route.path, route.endpoint)
