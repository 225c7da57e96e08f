"""Ed25519 signatures on which libraries disagree, with the answer that ZIP-215 gives, made by a small arithmetic of our
own: it is slow, and holds secrets openly.

ZIP-215: a signature (R, S) of M by A is valid if A and R are points in any spelling, S < L, and
[8][S]B = [8]R + [8][k]A, with k = SHA-512(R, A, M) over the bytes as they came.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha512
from itertools import product

PRIME = 2**255 - 19
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
CURVE_D = -121665 * pow(121666, -1, PRIME) % PRIME
ROOT_OF_MINUS_ONE = pow(2, (PRIME - 1) // 4, PRIME)

Point = tuple[int, int]
"""x and y."""

NEUTRAL: Point = (0, 1)

Part = tuple[bytes, bytes, bytes]
"""(public key, message, signature)."""


@dataclass(frozen=True)
class Case:
    """A signature, and whether it is valid."""

    name: str
    part: Part
    valid: bool


def add(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    product_of_all = CURVE_D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + product_of_all, -1, PRIME)
    y = (y1 * y2 + x1 * x2) * pow(1 - product_of_all, -1, PRIME)
    return x % PRIME, y % PRIME


def times(factor: int, point: Point) -> Point:
    result = NEUTRAL
    while factor:
        if factor & 1:
            result = add(result, point)
        point, factor = add(point, point), factor >> 1
    return result


def x_of(y: int) -> int | None:
    """The even one of the two, or None where the curve has no such point."""
    square = (y * y - 1) * pow(CURVE_D * y * y + 1, -1, PRIME) % PRIME
    root = pow(square, (PRIME + 3) // 8, PRIME)
    if root * root % PRIME != square:
        root = root * ROOT_OF_MINUS_ONE % PRIME
    if root * root % PRIME != square:
        return None
    return PRIME - root if root & 1 else root


def spell(y: int, sign: int) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


def spellings(point: Point) -> list[bytes]:
    """All byte strings that stand for a point, the canonical one first."""
    x, y = point
    signs = (0, 1) if x == 0 else (x & 1,)
    return [spell(one, sign) for one in (y, y + PRIME) if one < 2**255 for sign in signs]


def base_point() -> Point:
    y = 4 * pow(5, -1, PRIME) % PRIME
    x = x_of(y)
    assert x is not None
    return x, y


def small_points() -> list[Point]:
    """The eight whose order divides the cofactor."""
    for y in range(2, 100):
        x = x_of(y)
        if x is not None:
            point = times(GROUP_ORDER, (x, y))
            if times(4, point) != NEUTRAL:
                return [times(factor, point) for factor in range(8)]
    raise AssertionError("one in two points has such a part")


BASE = base_point()
SMALL = small_points()
SMALL_SPELLINGS = [spelling for point in SMALL for spelling in spellings(point)]


def challenge(public_key: bytes, message: bytes, commitment: bytes) -> int:
    return int.from_bytes(sha512(commitment + public_key + message).digest(), "little")


def sign(secret: int, message: bytes, key_part: Point = NEUTRAL, commitment_part: Point = NEUTRAL) -> Part:
    """A signature that is valid, by a key and with a commitment that have parts of small order."""
    nonce = challenge(secret.to_bytes(32, "little"), message, b"nonce")
    public_key = spellings(add(times(secret, BASE), key_part))[0]
    commitment = spellings(add(times(nonce % GROUP_ORDER, BASE), commitment_part))[0]
    scalar = (nonce + challenge(public_key, message, commitment) * secret) % GROUP_ORDER
    return public_key, message, commitment + scalar.to_bytes(32, "little")


def with_scalar(part: Part, change: int) -> Part:
    """Another scalar in the signature."""
    public_key, message, signature = part
    scalar = int.from_bytes(signature[32:], "little") + change
    return public_key, message, signature[:32] + scalar.to_bytes(32, "little")


@cache
def odd_cases() -> tuple[Case, ...]:
    """All of them, made once."""
    return (*_small_cases(), *_mixed_cases(), *_scalar_cases(), *_spelling_cases())


def _small_cases() -> list[Case]:
    """Anybody can sign for a key of small order."""
    return [
        Case(f"key {key.hex()}, commitment {commitment.hex()}", (key, b"Zcash", commitment + bytes(32)), True)
        for key, commitment in product(SMALL_SPELLINGS, SMALL_SPELLINGS)
    ]


def _mixed_cases() -> list[Case]:
    """Points with a part of small order: the cofactor makes it vanish."""
    cases = []
    for (i, key_part), (j, commitment_part) in product(enumerate(SMALL), enumerate(SMALL)):
        part = sign(12345 + i, b"mixed %d" % j, key_part, commitment_part)
        cases.append(Case(f"small parts {i} and {j}", part, True))
        cases.append(Case(f"small parts {i} and {j}, another scalar", with_scalar(part, -1), False))
        cases.append(Case(f"small parts {i} and {j}, other bytes", (part[0], part[1] + b"x", part[2]), False))
    return cases


def _scalar_cases() -> list[Case]:
    """A scalar has one spelling."""
    cases = []
    for number in range(4):
        part = sign(777 + number, b"scalar")
        cases.append(Case("as it is", part, True))
        cases += [Case(f"plus {n} L", with_scalar(part, n * GROUP_ORDER), False) for n in (1, 2, 7, 14)]
        cases += [Case(f"bit {bit}", with_scalar(part, 1 << bit), False) for bit in (253, 254, 255)]
    for key, scalar in product(SMALL_SPELLINGS, (GROUP_ORDER, 8 * GROUP_ORDER, 2**256 - 1, 2**255, 1, GROUP_ORDER - 1)):
        signature = SMALL_SPELLINGS[0] + scalar.to_bytes(32, "little")
        cases.append(Case(f"scalar {scalar:x} for {key.hex()}", (key, b"", signature), False))
    return cases


def _spelling_cases() -> list[Case]:
    """Every spelling of y beyond the prime, and some that are no point."""
    cases = []
    small = set(SMALL_SPELLINGS)
    good = sign(99, b"spelling")
    for y, sign_bit in product([*range(2, 30), *range(PRIME, 2**255)], (0, 1)):
        key = spell(y, sign_bit)
        cases.append(Case(f"key {y:x}", (key, b"spelling", SMALL_SPELLINGS[0] + bytes(32)), key in small))
        cases.append(Case(f"commitment {y:x}", (good[0], b"spelling", key + good[2][32:]), False))
    return cases
