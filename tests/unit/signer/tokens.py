"""Tokens of SoftHSM: hardware in software, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gridtokenx.bench.signer import SOFTHSM_VARIABLE, soft_token
from gridtokenx.signer.keys import KeyPlace


@contextmanager
def token_in_software(folder: Path) -> Iterator[KeyPlace]:
    """A fresh token in this folder; where a key would be in it. Skips without SoftHSM."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(SOFTHSM_VARIABLE, raising=False)  # so that it is as before afterwards
        place = soft_token(folder)
        if place is None:
            pytest.skip("softhsm2 is not on this machine")
        yield place
