"""Writes `abci_pb2.py` and its types out of `abci.proto`.

python scripts/make_protocol.py
"""

import sys
from pathlib import Path

from grpc_tools import protoc

SOURCES = Path(__file__).resolve().parent.parent / "src"
PROTOCOL = "gridtokenx/engine/comet/abci.proto"


def main() -> int:
    """Write both files; returns the compiler's exit status."""
    options = [f"-I{SOURCES}", f"--python_out={SOURCES}", f"--pyi_out={SOURCES}", PROTOCOL]
    return int(protoc.main(["protoc", *options]))


if __name__ == "__main__":
    sys.exit(main())
