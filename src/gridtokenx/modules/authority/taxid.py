"""Thai tax ids: thirteen digits, of which the last follows from the others."""

from typing import Final

DIGITS: Final = 13


def is_tax_id(text: str) -> bool:
    """Whether the text is thirteen ASCII digits of which the last is right.

    Source: the Revenue Department's rule for juristic and natural persons: the digits before it are weighted 13 down to
    2, and the last is (11 - sum mod 11) mod 10.
    """
    if len(text) != DIGITS or not (text.isascii() and text.isdigit()):
        return False
    return int(text[-1]) == check_digit(text[:-1])


def check_digit(first: str) -> int:
    """The last digit that belongs to the twelve before it."""
    weighted = sum(int(digit) * (DIGITS - position) for position, digit in enumerate(first))
    return (11 - weighted % 11) % 10
