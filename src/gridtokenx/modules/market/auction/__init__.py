"""The auction at the gate: one price a zone, coupled by what borders still have free, with maximum welfare.

Pure functions of integers that know no state. `ladder.py`: a node's merit order. `problem.py`: nodes and links, and the
residual graph with costs under which exactly one answer is optimal. `solve.py` finds it, `check.py` proves it,
`clearing.py` makes prices, quantities and money of it and is what the ledger calls (`auction`), in slices (`work.py`).
What is decided and why: docs/auction.md.
"""
