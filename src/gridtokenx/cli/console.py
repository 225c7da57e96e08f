"""How commands speak: results on the output, refusals on standard error, and with each what to do about it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer
from rich.console import Console

out = Console()
err = Console(stderr=True)

LANGUAGE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")
"""In the order in which POSIX has them count."""


def refuse(sentence: str, *advice: str, code: int = 1) -> NoReturn:
    """Say why not, then what to do about it, and end with this code."""
    err.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    for line in advice:
        err.print(line, markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(code)


def say(line: str) -> None:
    """A line as it is: much of it is others' words."""
    out.print(line, markup=False, highlight=False, soft_wrap=True)


def advice_on(code_name: str) -> str:
    """What happened and what to do, for a code of the ledger; in Thai where the terminal speaks Thai. Nothing for what
    is no code."""
    from gridtokenx.gateway.sentences import SENTENCES

    spoken = next((value for name in LANGUAGE_VARIABLES if (value := os.environ.get(name))), "")
    return SENTENCES["th" if spoken.startswith("th") else "en"].get(code_name, "")


@contextmanager
def failures() -> Iterator[None]:
    """For commands that ask a market, or read keys and proposals: ends with 1."""
    from gridtokenx.client.errors import ClientError, TransactionRejected

    try:
        yield
    except ClientError as error:
        lines = [f"Transaction {error.transaction_id.hex()}"] if isinstance(error, TransactionRejected) else []
        advice = advice_on(error.name) or HINTS.get(error.name)
        refuse(str(error), *lines, *([advice] if advice else []))
    except BrokenPipeError:
        raise  # whoever read the output has enough of it
    except OSError as error:
        refuse(*_said_by_the_system(error))


@contextmanager
def folder_failures(advice: str = "") -> Iterator[None]:
    """For commands that work on a market's folder or on scenarios: ends with 2, so that 1 is left for bad findings.
    `advice` goes with a folder that is not what it should be."""
    from gridtokenx.engine.database import DatabaseFailed
    from gridtokenx.engine.folder import FolderUnusable
    from gridtokenx.simulation.scenario import ScenarioError

    try:
        yield
    except ScenarioError as error:
        refuse(str(error), code=2)
    except FolderUnusable as error:
        refuse(str(error), *([advice] if advice else []), code=2)
    except DatabaseFailed as error:
        refuse(str(error), "`gridtokenx verify` says what is damaged.", code=2)
    except BrokenPipeError:
        raise
    except OSError as error:
        refuse(*_said_by_the_system(error), code=2)


def _said_by_the_system(error: OSError) -> tuple[str, ...]:
    """Which file, what is wrong with it, and advice; an error of our own has all of it in its words."""
    if error.strerror is None:
        return (str(error),)
    return (f"{error.filename}: {error.strerror}" if error.filename else error.strerror), PATH_ADVICE


PATH_ADVICE = "Check the path, and that you may read and write there."
HINTS = {
    "AddressInvalid": "Write --url as http://HOST:PORT.",
    "TransportError": "Is the market running? `gridtokenx up` starts one; --url names another.",
    "AnswerNotUnderstood": "Something else answers at this address: check --url.",
    "WrongChain": "Another market answers at this address: check --url.",
    "KeyUnknown": "`gridtokenx keys list` shows what there is; --keys names another folder.",
    "KeyExists": "Choose another name.",
    "PassphraseWrong": "Type it again; nothing was changed.",
    "PassphraseMissing": "Give --passphrase-file, or set GRIDTOKENX_PASSPHRASE.",
    "PhraseInvalid": "Compare with what was written down; all 24 words, in order.",
    "KeyFileCorrupt": "Restore the file from a backup, or the key from its 24 words: `gridtokenx keys import`.",
    "SigningError": "`gridtokenx keys list` shows the keys; a proposal comes from `gridtokenx tx transfer --propose`.",
    "StillPending": "`gridtokenx tx status` tells later; sending the same again does no harm.",
    "TransactionExpired": "Nothing of it happened: send it again.",
    "NothingTrusted": "`gridtokenx light start` begins, with a height and a hash from somebody you trust.",
    "StartRefused": "Compare height and hash with whoever gave them to you, then ask another gateway (--url).",
    "TrustExpired": "Take a newer height and hash from somebody you trust: `gridtokenx light start`.",
    "FromTheFuture": "Set this machine's clock right, then try again.",
    "NotConfirmed": "Name another gateway with --witness, or try again in a moment.",
    "Conflict": "Two chains, both signed: believe neither, and tell the market's operators.",
    "StoreUnusable": "Name another file with --trusted, and begin anew: `gridtokenx light start`.",
    "SourceFailed": "Name another gateway with --url.",
    "BlockMissing": "It is not there yet, or not any more: name another gateway with --url.",
    "ProofInvalid": "Believe neither it nor this gateway: ask another one (--url).",
    "SESSION_MISSING": "Name the account's keys with --key.",
    "CHALLENGE_NOT_SIGNED": "These keys are not the account's present ones: give the right --key, or --account.",
    "NOT_FOUND": "It may be in another market, or not in a block yet: check id and --url.",
    "NODE_UNREACHABLE": "The gateway waits for its node: try again in a moment.",
    "NOT_READY": "The gateway is still reading the chain: try again in a moment.",
    "TOO_MANY": "Wait a moment, then try again.",
}
"""For what is no code of the ledger."""


def print_json(document: object) -> None:
    """A document of the API, or plain data."""
    import msgspec

    typer.echo(json.dumps(msgspec.to_builtins(document), indent=2))


def print_facts(facts: dict[str, Any]) -> None:
    """Names and values, one a line."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        out.print(f"{name:<{width}}  {value}", markup=False, highlight=False, soft_wrap=True)


def write_new(file: Path, data: bytes, mode: int) -> None:
    """A new file with these rights. Ends with 1 if it cannot be written, or there is one already."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
    except FileExistsError:
        refuse(f"{file} cannot be written: it exists", "Choose another name: nothing is overwritten.")
    except OSError as error:
        refuse(f"{file} cannot be written: {error.strerror}", PATH_ADVICE)
