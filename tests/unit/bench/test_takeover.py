"""What the tap between a signer and its nodes says of signing twice."""

from gridtokenx.bench.signature_tap import PRECOMMIT, PREVOTE, Answer, Place, double_signs


def answer(node: int, place: Place | None, signature: bytes) -> Answer:
    return Answer(node, 0.0, 1.0, place, signature, True, "" if place else "another node holds the lease")


def test_two_signatures_for_one_place_are_a_double_sign() -> None:
    prevote, precommit = Place(7, 0, PREVOTE), Place(7, 0, PRECOMMIT)
    right = [
        answer(1, prevote, b"a"),
        answer(2, None, b""),
        answer(1, precommit, b"b"),
        answer(3, Place(7, 1, PREVOTE), b"c"),
    ]
    assert double_signs([]) == double_signs(right) == 0
    assert double_signs([*right, answer(2, prevote, b"a")]) == 0, "the same again is no second vote"
    assert double_signs([*right, answer(2, prevote, b"d"), answer(3, prevote, b"e"), answer(2, precommit, b"f")]) == 2
