"""`gridtokenx maker`: stand on both sides of a zone, and get a part of the trading fees for it."""

from typing import TYPE_CHECKING, Annotated

import typer

from gridtokenx.cli.connection import open_client, open_wallet
from gridtokenx.cli.console import err, failures, print_facts, print_json, say
from gridtokenx.cli.options import DEFAULT_KEYS, DEFAULT_URL, AccountHex, AsJson, KeyNames, Keys, PassphraseFile, Url
from gridtokenx.cli.sending import Sending, signs

if TYPE_CHECKING:
    from gridtokenx.gateway.documents import TransactionView
    from gridtokenx.gateway.maker_documents import MakerTermsView, MakerView, OwnDutyView

app = typer.Typer(
    help="Makers: stand on both sides of a zone for a time, and get a part of the trading fees.", no_args_is_help=True
)

PORTFOLIO_BYTES = 8
MINUTE_MS = 60_000

Portfolio = Annotated[str, typer.Argument(help="One's own portfolio: 16 hexadecimal digits.")]


@app.command("list")
def list_makers(url: Url = DEFAULT_URL, as_json: AsJson = False) -> None:
    """Programmes of the zones, and how their makers keep them."""
    with failures(), open_client(url) as client:
        view = client.makers()
    if as_json:
        print_json(view)
        return
    for programme in view.programmes:
        say(f"zone {programme.zone}: {_terms_text(programme.terms)}")
        for one in view.makers:
            if one.zone == programme.zone:
                say(f"  {_maker_text(one)}")
    if not view.programmes:
        err.print("The operator has no programme for makers.")


@app.command()
@signs
def enrol(portfolio: Portfolio, sending: Sending) -> None:
    """Be a maker of the zone in which one's portfolio lies."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.modules.market.messages import EnrolMaker

    with failures(), sending.client() as client:
        sending.send(client, EnrolMaker(hexadecimal(portfolio, PORTFOLIO_BYTES, "portfolio")), _from)


@app.command()
@signs
def leave(portfolio: Portfolio, sending: Sending) -> None:
    """Be a maker no longer, from the first day on that has not opened. The operator ends others' with it."""
    from gridtokenx.cli.values import hexadecimal
    from gridtokenx.modules.market.messages import EndMaker

    with failures(), sending.client() as client:
        sending.send(client, EndMaker(hexadecimal(portfolio, PORTFOLIO_BYTES, "portfolio")), _until)


@app.command()
@signs
def programme(
    zone: Annotated[int, typer.Argument(min=0, max=255, help="Number of the zone.")],
    spread: Annotated[str, typer.Option(help="How far apart purchase and sale may stand, in WATT per kWh.")],
    size: Annotated[str, typer.Option(help="How much each of them shows, in kWh.")],
    presence: Annotated[str, typer.Option(help="For how much of the time, in percent.")],
    rebate: Annotated[str, typer.Option(help="Part of the trading fees of both sides, in percent.")],
    makers: Annotated[int, typer.Option(min=0, max=16, help="How many makers; 0 ends the programme.")],
    sending: Sending,
    window: Annotated[int, typer.Option(min=0, max=2_880, help="The last minutes that count; 0: all.")] = 240,
    misses: Annotated[int, typer.Option(min=1, max=255, help="Intervals missed in a row that drop a maker.")] = 8,
) -> None:
    """As the operator, set what makers of a zone do from now on."""
    from gridtokenx.cli.values import energy_wh, parts_per_million, price_micro
    from gridtokenx.modules.market.messages import MakerTerms, SetMakerProgramme

    terms = MakerTerms(
        price_micro(spread),
        energy_wh(size),
        parts_per_million(presence) // 1_000,
        window * MINUTE_MS,
        parts_per_million(rebate),
        makers,
        misses,
    )
    with failures(), sending.client() as client:
        sending.send(client, SetMakerProgramme(zone, terms))


@app.command()
def status(
    key: KeyNames,
    keys: Keys = DEFAULT_KEYS,
    passphrase_file: PassphraseFile = None,
    account: AccountHex = None,
    url: Url = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """One's own duties: what one's orders show, and what is missing."""
    with failures(), open_client(url) as client:
        view = client.duties(open_wallet(keys, key, passphrase_file, account))
        makers = client.makers().makers
    if as_json:
        print_json(view)
        return
    own = {duty.portfolio for duty in view.duties}
    for one in makers:
        if one.portfolio in own:
            say(_maker_text(one))
    for duty in view.duties:
        _print_duty(duty)
    if not view.duties:
        err.print("This account is a maker in no interval that is open.")


def _print_duty(duty: "OwnDutyView") -> None:
    from gridtokenx.cli.values import delivery

    state = "present" if duty.is_present else "; ".join(missing_text(duty)) or "not present"
    times = f"{_minutes(duty.present_ms)} of {_minutes(duty.counted_ms)} minutes"
    print_facts({delivery(duty.interval): f"{times}; {state}"})


def missing_text(duty: "OwnDutyView") -> list[str]:
    """What is missing of a duty now, in words."""
    from gridtokenx.cli.values import watt

    asked = duty.asked
    texts = {
        "buy_size": f"your purchase shows {duty.shown_buy_wh:,} Wh of {asked.size_wh:,}",
        "sell_size": f"your sale shows {duty.shown_sell_wh:,} Wh of {asked.size_wh:,}",
        "spread": f"they stand {watt(duty.spread_micro or 0)} apart, {watt(asked.spread_micro)} is allowed",
    }
    return [texts[name] for name in duty.missing]


def _maker_text(one: "MakerView") -> str:
    from gridtokenx.cli.values import delivery, watt

    text = f"{one.portfolio} on feeder {one.feeder} from {delivery(one.first)}"
    if one.until:
        text += f" until {delivery(one.until)} ({one.end})"
    text += f": kept {one.kept}, missed {one.missed}, rebates {watt(one.rebate_micro)}"
    return text + (f"; now in {one.present} of {one.counting} intervals" if one.counting else "")


def _terms_text(terms: "MakerTermsView") -> str:
    from gridtokenx.cli.values import watt

    if not terms.makers_max:
        return "no programme any more"
    window = f"the last {terms.window_ms // MINUTE_MS} minutes" if terms.window_ms else "the time"
    presence = f"{terms.presence_per_mille / 10:g} % of {window}"
    return (
        f"{terms.size_wh:,} Wh each side, {watt(terms.spread_micro)} apart, {presence}; "
        f"rebate {terms.rebate_ppm / 10_000:g} %, {terms.makers_max} makers, dropped after {terms.misses_max} misses"
    )


def _minutes(time_ms: int) -> str:
    return f"{time_ms / MINUTE_MS:.1f}"


def _from(view: "TransactionView") -> dict[str, str]:
    from gridtokenx.cli.values import delivery

    return {"maker_from": delivery(view.results[0][0])}


def _until(view: "TransactionView") -> dict[str, str]:
    from gridtokenx.cli.values import delivery

    first = view.results[0][0]
    return {"maker_until": delivery(first) if first else "never was one"}
