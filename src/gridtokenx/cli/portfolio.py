"""`gridtokenx portfolio`: aggregators and the sites that they trade."""

import secrets
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.connection import open_client, open_wallet
from gridtokenx.cli.console import err, failures, print_facts, print_json, say
from gridtokenx.cli.options import DEFAULT_KEYS, DEFAULT_URL, AccountHex, AsJson, KeyNames, Keys, PassphraseFile, Url
from gridtokenx.cli.sending import Sending, signs

if TYPE_CHECKING:
    from gridtokenx.client.client import Client
    from gridtokenx.gateway.documents import TransactionView
    from gridtokenx.gateway.portfolio_documents import OwnPortfolio, SplitRuleView
    from gridtokenx.modules.identity.messages import SplitRule

app = typer.Typer(
    help="Aggregators: trade many sites as one, and split the result by a stated rule.", no_args_is_help=True
)

PORTFOLIO_BYTES = 8

Site = Annotated[str, typer.Argument(help="The site's own portfolio: 16 hexadecimal digits.")]
Portfolio = Annotated[str, typer.Argument(help="The aggregator's portfolio: 16 hexadecimal digits.")]
Percent = Annotated[str, typer.Option(help="Percent, such as 10 or 2.5.")]


class ShareName(StrEnum):
    """By what a result is shared, under the names of the ledger's `SplitKind`."""

    METERED = "metered"
    EXPORT = "export"
    EQUAL = "equal"


@app.command("list")
def list_aggregators(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Portfolios that sites can join, each with its rule."""
    from gridtokenx.cli.values import delivery

    with failures(), open_client(url) as client:
        view = client.aggregators()
    if as_json:
        print_json(view)
        return
    for one in view.aggregators:
        say(f"{one.portfolio}  feeder {one.feeder}, zone {one.zone}, {one.members} members")
        say(f"  {_rule_text(one.rule)}")
    if view.aggregators:
        say(f"Who joins or leaves now does so from {delivery(view.first_interval)} on (Bangkok time).")
    else:
        err.print("No aggregator has opened a portfolio.")


@app.command("open")
@signs
def open_portfolio(
    feeder: Annotated[int, typer.Argument(min=0, max=65_535, help="Number of the feeder that all sites hang on.")],
    share: Annotated[ShareName, typer.Option(help="By what members share: metered, export or equal.")],
    commission: Percent,
    loss: Percent,
    sending: Sending,
    portfolio: Annotated[str | None, typer.Option(help="16 hexadecimal digits that name it.")] = None,
) -> None:
    """Open a portfolio. The aggregator keeps the commission of a gain, and bears so much of a loss; this never
    changes."""
    from gridtokenx.cli.values import hexadecimal, parts_per_million
    from gridtokenx.modules.identity.messages import OpenPortfolio, SplitKind, SplitRule

    name = secrets.token_bytes(PORTFOLIO_BYTES)
    if portfolio is not None:
        name = hexadecimal(portfolio, PORTFOLIO_BYTES, "portfolio")
    rule = SplitRule(int(SplitKind[share.name]), parts_per_million(commission), parts_per_million(loss))
    with failures(), sending.client() as client:
        sending.send(client, OpenPortfolio(name, feeder, rule), lambda view: {"portfolio": name.hex()})


@app.command()
@signs
def join(
    site: Site,
    portfolio: Portfolio,
    sending: Sending,
    yes: Annotated[bool, typer.Option("--yes", help="Agree to the rule without being asked.")] = False,
) -> None:
    """Read a portfolio's rule, agree to it, and ask its aggregator to trade one's site."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.modules.identity.messages import JoinPortfolio

    member = hexadecimal(site, PORTFOLIO_BYTES, "site")
    wanted = hexadecimal(portfolio, PORTFOLIO_BYTES, "portfolio")
    with failures(), sending.client() as client:
        rule = _rule_of(client, portfolio)
        err.print(f"The portfolio splits so: {_rule_text(rule)}.")
        if not yes:
            typer.confirm("Agree?", abort=True, err=True)
        sending.send(client, JoinPortfolio(member, wanted, _ledger_rule(rule)))


@app.command()
@signs
def accept(site: Site, sending: Sending) -> None:
    """Take in a site whose owner asked."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.modules.identity.messages import AcceptMember

    with failures(), sending.client() as client:
        sending.send(client, AcceptMember(hexadecimal(site, PORTFOLIO_BYTES, "site")), _from)


@app.command()
@signs
def leave(site: Site, sending: Sending) -> None:
    """Take one's site out of its portfolio, or its request back. Nobody has to agree."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.modules.identity.messages import LeavePortfolio

    with failures(), sending.client() as client:
        sending.send(client, LeavePortfolio(hexadecimal(site, PORTFOLIO_BYTES, "site")), _until)


@app.command()
@signs
def exclude(site: Site, sending: Sending) -> None:
    """Take a member out, or refuse its request."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.modules.identity.messages import ExcludeMember

    with failures(), sending.client() as client:
        sending.send(client, ExcludeMember(hexadecimal(site, PORTFOLIO_BYTES, "site")), _until)


@app.command()
def show(
    key: KeyNames,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """One's own portfolios: limits, rule, members and memberships."""
    with failures(), open_client(url) as client:
        view = client.portfolios(open_wallet(keys, key, passphrase_file, account))
    if as_json:
        print_json(view)
        return
    if not view.portfolios:
        err.print("This account has no portfolio.")
    for one in view.portfolios:
        _print_portfolio(one)


@app.command()
def splits(
    key: KeyNames,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """How the last intervals were split: the portfolio's gain, the commission, one's own share."""
    from gridtokenx.cli.values import delivery, watt

    with failures(), open_client(url) as client:
        view = client.splits(open_wallet(keys, key, passphrase_file, account))
    if as_json:
        print_json(view)
        return
    for one in view.splits:
        whose = f"site {one.member} in " if one.member else ""
        say(f"{delivery(one.interval)}  {whose}portfolio {one.portfolio}")
        say(f"  gain {watt(one.gain_micro)}, commission {watt(one.commission_micro)}")
        weight = f"{one.weight} of {one.weights}"
        say(f"  old bill {watt(one.old_bill_micro)}, share {watt(one.share_micro)} (weight {weight})")
    if not view.splits:
        err.print("Nothing was split in the intervals that are not final yet.")


def _print_portfolio(one: "OwnPortfolio") -> None:
    from gridtokenx.cli.values import delivery

    facts = {"portfolio": one.portfolio, "feeder": str(one.feeder)}
    if one.rule is None:
        facts |= {"import": f"{one.import_w} W", "export": _powers(one.export_w)}
    else:
        facts["split"] = _rule_text(one.rule)
    for roster in one.rosters:
        able = f"{roster.members} members, import {roster.import_w} W, export {_powers(roster.export_w)}"
        facts[f"from {delivery(roster.first)}"] = able
    print_facts(facts)
    for membership in one.memberships:
        text = f"  {membership.member} in {membership.portfolio}: {membership.state}"
        if membership.first:
            text += f" from {delivery(membership.first)}"
        if membership.until:
            text += f" until {delivery(membership.until)}"
        say(text)


def _powers(export_w: list[int]) -> str:
    from gridtokenx.modules.identity.messages import Source

    named = [f"{power} W {Source(number).name.lower()}" for number, power in enumerate(export_w) if power]
    return " + ".join(named) or "0 W"


def _rule_of(client: "Client", portfolio: str) -> "SplitRuleView":
    for one in client.aggregators().aggregators:
        if one.portfolio == portfolio:
            return one.rule
    raise typer.BadParameter(f"no aggregator has a portfolio {portfolio}: `gridtokenx portfolio list` shows all")


def _ledger_rule(rule: "SplitRuleView") -> "SplitRule":
    from gridtokenx.modules.identity.messages import SplitKind, SplitRule

    return SplitRule(int(SplitKind[rule.kind.upper()]), rule.commission_ppm, rule.loss_ppm)


def _rule_text(rule: "SplitRuleView") -> str:
    by = {"metered": "by metered energy", "export": "by export", "equal": "in equal parts"}[rule.kind]
    commission, loss = (f"{part / 10_000:g} %" for part in (rule.commission_ppm, rule.loss_ppm))
    return f"{by}, {commission} of a gain is commission, the aggregator bears {loss} of a loss"


def _from(view: "TransactionView") -> dict[str, str]:
    from gridtokenx.cli.values import delivery

    return {"member_from": delivery(view.results[0][0])}


def _until(view: "TransactionView") -> dict[str, str]:
    from gridtokenx.cli.values import delivery

    first = view.results[0][0]
    return {"member_until": delivery(first) if first else "never was one"}
