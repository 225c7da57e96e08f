"""Writes `abci_pb2.py`, `privval_pb2.py` and their types out of `abci.proto` and `privval.proto`.

python scripts/make_protocol.py
"""

import sys
from pathlib import Path

from grpc_tools import protoc

SOURCES = Path(__file__).resolve().parent.parent / "src"
PROTOCOLS = ("gridtokenx/engine/comet/abci.proto", "gridtokenx/engine/comet/privval.proto")


def main() -> int:
    """Write all files; returns the compiler's exit status."""
    options = [f"-I{SOURCES}", f"--python_out={SOURCES}", f"--pyi_out={SOURCES}", *PROTOCOLS]
    return int(protoc.main(["protoc", *options]))


if __name__ == "__main__":
    sys.exit(main())
