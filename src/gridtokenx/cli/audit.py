"""`gridtokenx audit`: what signed batches make visible: who leaves out others' orders, and who kept his word."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.console import folder_failures, out, print_facts, print_json, refuse
from gridtokenx.cli.options import DEFAULT_DATA, AsJson

if TYPE_CHECKING:
    from gridtokenx.operations.censorship import CensorshipReport
    from gridtokenx.operations.promise import PromiseOutcome

app = typer.Typer(help="Who leaves out what; whether a node kept its word.", no_args_is_help=True)

NO_NODE_ADVICE = "Name a node's folder with --data: of a network on this machine, DATA/node-1."

NodeData = Annotated[Path, typer.Option("--data", help="A node's folder; the node may be running.")]


@app.command()
def censorship(
    data: NodeData = DEFAULT_DATA,
    blocks: Annotated[int, typer.Option(min=1, max=10_000, help="The last so many blocks.")] = 1_000,
    grace_ms: Annotated[
        int, typer.Option(min=0, max=60_000, help="A batch counts if it came here so long before a block's proposal.")
    ] = 500,
    as_json: AsJson = False,
) -> None:
    """Who left batches out of blocks that were there in time, as this node saw it. Ends with 1 if somebody is named."""
    from gridtokenx.engine.folder import DataFolder
    from gridtokenx.operations.censorship import NothingSeen, audit_censorship
    from gridtokenx.operations.reading import beside_node

    with folder_failures(NO_NODE_ADVICE), beside_node(DataFolder(data), "audit") as reader:
        try:
            report = audit_censorship(reader, blocks, grace_ms)
        except NothingSeen as nothing:
            refuse(f"Nothing to audit: {nothing}.", code=2)
    if as_json:
        print_json(report)
    else:
        _print_report(report)
    if report.verdicts:
        raise typer.Exit(1)


@app.command()
def acceptance(
    file: Annotated[
        Path,
        typer.Argument(
            help='What you kept: {"transaction": HEX, "acceptance": what the node answered}. `-`: the input.'
        ),
    ],
    data: NodeData = DEFAULT_DATA,
    public_key: Annotated[
        str | None, typer.Option("--public-key", help="The node's key then, if it has had others since.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Whether the node that signed an acceptance brought the transaction into a block. Ends with 1 if it did not."""
    import sys

    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.engine.folder import DataFolder
    from gridtokenx.ledger.crypto import PUBLIC_KEY_BYTES
    from gridtokenx.operations.promise import PromiseInvalid, PromiseState, check_promise, read_promise
    from gridtokenx.operations.reading import beside_node

    key = None if public_key is None else hexadecimal(public_key, PUBLIC_KEY_BYTES, "public key")
    with folder_failures(NO_NODE_ADVICE):
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        try:
            promise = read_promise(content)
            with beside_node(DataFolder(data), "audit") as reader:
                outcome = check_promise(reader, promise, key)
        except PromiseInvalid as error:
            refuse(f"This proves nothing: {error}.", code=2)
    if as_json:
        print_json(outcome)
    else:
        _print_promise(outcome)
    if outcome.state is PromiseState.BROKEN:
        raise typer.Exit(1)


def _print_report(report: "CensorshipReport") -> None:
    out.print(
        f"{report.chain}, blocks {report.first:,} to {report.last:,}: this node heard {report.watched:,} proposed.",
        highlight=False,
        soft_wrap=True,
    )
    if report.missed:
        out.print(f"{report.missed:,} batches came that it had no room to write down.", highlight=False)
    _print_table(
        "Proposers",
        ("node", "blocks", "that left something out", "ripe batches", "left out"),
        [(one.proposer, one.blocks, one.blocks_left_out, one.ripe, one.left_out) for one in report.proposers],
    )
    _print_table(
        "Authors of batches",
        ("node", "batches", "in blocks", "unseen", "delay", "p99", "left out", "expired", "gaps"),
        [
            (
                one.author,
                one.batches,
                one.in_blocks,
                one.unseen,
                one.delay_median,
                one.delay_p99,
                one.left_out,
                one.expired,
                one.gaps,
            )
            for one in report.authors
        ],
    )
    left_out = [pair for pair in report.pairs if pair.left_out]
    if left_out:
        _print_table(
            "Who left out whom",
            ("proposer", "author", "blocks with a ripe batch", "left out in"),
            [(one.proposer, one.author, one.blocks, one.left_out) for one in left_out],
        )
    for sentence in (*(report.verdicts or ("Nobody is named.",)), *report.notes):
        out.print(sentence, highlight=False, soft_wrap=True)
    out.print(report.threshold, style="dim", highlight=False, soft_wrap=True)


def _print_table(title: str, columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    from rich.table import Table

    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 or isinstance(rows[0][number], str) else "right")
    for row in rows:
        table.add_row(*(value if isinstance(value, str) else f"{value:,}" for value in row))
    out.print(table)


def _print_promise(outcome: "PromiseOutcome") -> None:
    from gridtokenx.cli.values import bangkok

    facts = {
        "transaction": outcome.transaction,
        "promised by": f"node {outcome.node}, in its batch {outcome.sequence:,}",
        "until": bangkok(outcome.expires_ms),
        "promise": outcome.state.value,
    }
    print_facts(facts)
    sentences = {
        "kept": f"It is in block {outcome.height}.",
        "open": "No block holds it yet; one still may.",
        "void": "No block holds it, but the chain stood still while one could have: send the transaction again.",
        "broken": (
            f"The node broke its word: none of the blocks {outcome.first} to {outcome.last}, in which the batch could "
            "stand, holds it. Whoever has these blocks and this acceptance sees the same."
        ),
    }
    out.print(sentences[outcome.state.value], highlight=False, soft_wrap=True)
