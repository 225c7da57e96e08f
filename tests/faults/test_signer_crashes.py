"""The signer is killed at every place there is, then started again: nothing else is ever signed for the same place."""

from pathlib import Path

import pytest
from tests.unit.signer.asking import AskingNode, SignerProcess, new_signer
from tests.unit.signer.requests import BLOCK, block

from gridtokenx.engine.faultpoints import EXIT_STATUS, POINTS
from gridtokenx.signer.sign_bytes import PRECOMMIT, PREVOTE

SIGNER_POINTS = [point for point in POINTS if point.startswith("signer.")]
OTHER = block("another")


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("point", SIGNER_POINTS)
def test_a_kill_never_lets_two_signatures_out(tmp_path: Path, point: str, times: int) -> None:
    folder, node = new_signer(tmp_path / "signer"), AskingNode(tmp_path / "run" / "signer.sock")
    kinds = (PREVOTE, PRECOMMIT)
    with SignerProcess(folder, [node.path], crash_at=f"{point}:{times}") as signer:
        node.meet()
        left = [node.vote(5, 0, kind) for kind in kinds[: times - 1]]
        assert not any(isinstance(signed, str) for signed in left)
        with pytest.raises(EOFError):
            node.vote(5, 0, kinds[times - 1])
        assert signer.process.wait() == EXIT_STATUS
    with SignerProcess(folder, [node.path]):
        node.meet()
        killed = kinds[times - 1]
        if point == "signer.signed":
            # Nothing was written: nobody has the signature, and another may be made.
            assert not isinstance(node.vote(5, 0, killed, OTHER), str)
            assert "something else was signed there" in node.vote(5, 0, killed, BLOCK)
        else:
            assert "something else was signed there" in node.vote(5, 0, killed, OTHER)
            assert not isinstance(node.vote(5, 0, killed, BLOCK), str)
        for signed in left:
            assert "is behind" in node.vote(5, 0, signed.type, OTHER)
    node.close()
