"""The ceremony: a consortium's chain begins from the files of its organisations.

Each organisation describes itself in one file (`organisation`), which its officers and the keys of its node sign. All
files are checked together (`checks`) against the terms that the organisations agreed on (`terms`); from files and terms
follow the bytes of the network's bundle (`ceremony`), the same on every machine. `example` plays all organisations of
the shipped consortium, with keys of its own. `docs/consortium.md` leads a member through it.
"""
