"""Saying no: one exception, one JSON shape."""

from gridtokenx.gateway.codes import STATUS, GatewayCode
from gridtokenx.gateway.documents import Problem


class Refused(Exception):
    """The gateway does not do what was asked. `field` names the part of the request it is about."""

    def __init__(self, code: GatewayCode, field: str = "", detail: str = "") -> None:
        super().__init__(f"{code.name} ({int(code)}) at {field}: {detail}")
        self.code = code
        self.field = field
        self.detail = detail

    @property
    def status(self) -> int:
        """The status of HTTP that goes with the code."""
        return STATUS[self.code]

    def problem(self) -> Problem:
        """What the other side is told."""
        return Problem(int(self.code), self.code.name, self.field, self.detail)
