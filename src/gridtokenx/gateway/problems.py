"""Saying no: one exception, one JSON shape (RFC 9457)."""

import math

from gridtokenx.gateway.codes import STATUS, GatewayCode
from gridtokenx.gateway.documents import Problem
from gridtokenx.gateway.limits import Budget
from gridtokenx.gateway.sentences import LANGUAGES, Language, sentence

TYPE_PREFIX = "/problems/"
"""Where the type of a problem is explained, at the gateway itself."""


class Refused(Exception):
    """The gateway does not do what was asked. `field` names the part of the request it is about; `retry_s` says after
    how many seconds the same may succeed, where waiting helps at all."""

    def __init__(self, code: GatewayCode, field: str = "", detail: str = "", retry_s: float = 1.0) -> None:
        super().__init__(f"{code.name} ({int(code)}) at {field}: {detail}")
        self.code = code
        self.field = field
        self.detail = detail
        self.retry_s = max(1, math.ceil(retry_s))

    @property
    def status(self) -> int:
        """The status of HTTP that goes with the code."""
        return STATUS[self.code]

    def problem(self, language: Language = LANGUAGES[0]) -> Problem:
        """What the other side is told."""
        code = self.code
        title = sentence(code.name, language)
        return Problem(int(code), code.name, self.field, self.detail, TYPE_PREFIX + code.name, title, self.status)


def too_many(budget: Budget, wait_s: float) -> Refused:
    """More than this budget gives; the same may succeed after so many seconds."""
    detail = f"{budget.per_second:g} {budget.unit} a second are served, and {budget.burst} at once"
    return Refused(GatewayCode.TOO_MANY, "", detail, wait_s)
