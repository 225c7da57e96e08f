"""What `gridtokenx authority` shows: tables of members, powers and proposals, and how the chain served."""

from decimal import ROUND_DOWN, Decimal
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gridtokenx.cli.console import out, say
from gridtokenx.cli.values import bangkok, watt

if TYPE_CHECKING:
    from gridtokenx.gateway.authority_documents import (
        Authorities,
        Availability,
        MemberDetail,
        MemberView,
        PowerView,
        Proposals,
        ProposalView,
        Service,
    )

PPM_PER_PERCENT = 10_000
HUNDREDTHS, TEN_THOUSANDTHS = Decimal("0.01"), Decimal("0.0001")


def percent(ppm: int | None, step: Decimal = HUNDREDTHS) -> str:
    """Millionths as percent, rounded down: nothing looks better than it is."""
    if ppm is None:
        return "-"
    return f"{(Decimal(ppm) / PPM_PER_PERCENT).quantize(step, ROUND_DOWN)} %"


def print_status(view: "Authorities", served: "Availability", still_open: "Proposals") -> None:
    """Where it stands: head, members or what there is instead, open proposals, availability."""
    out.print(f"block {view.height}, {bangkok(view.time_ms)} in Bangkok", highlight=False)
    if view.frozen_since_ms is not None:
        since = bangkok(view.frozen_since_ms)
        out.print(f"FROZEN since {since}: only an emergency decision lets the market go on.", style="bold red")
    if view.consortium:
        _print_consortium(view)
        out.print(members_table(view.members))
        print_proposals(still_open, "No proposal is open.")
    else:
        licensed = sum(node.licensed for node in view.nodes)
        out.print(
            f"This chain has no consortium: an office sets its {len(view.nodes)} nodes ({licensed} may sign batches) "
            f"and {len(view.validators)} validators.",
            highlight=False,
            soft_wrap=True,
        )
    print_availability(served)


def _print_consortium(view: "Authorities") -> None:
    terms, epoch = view.terms, view.epoch
    assert terms is not None and epoch is not None, "a consortium has both"
    seated = sum(member.standing == "seated" for member in view.members)
    power = sum(validator.power for validator in view.validators)
    doubt = f", {epoch.doubtful} doubtful blocks" if epoch.doubtful else ""
    in_doubt = " (in doubt: nobody is judged by it)" if epoch.in_doubt else ""
    out.print(
        f"{seated} of {terms.seats_max} seats taken, {len(view.validators)} validators with {power} votes; "
        f"epoch {epoch.number} (blocks {epoch.from_height} to {epoch.to_height}){doubt}{in_doubt}",
        highlight=False,
        soft_wrap=True,
    )


def members_table(members: "list[MemberView]") -> Table:
    """Group by group, with what is unusual about a member under its name: it fits a terminal of 80 columns."""
    table = Table(box=None)
    table.add_column("member")
    table.add_column("tier", no_wrap=True)
    for heading in ("votes", "reputation", "available"):
        table.add_column(heading, justify="right", no_wrap=True)
    for group, those in groupby(members, key=attrgetter("group")):
        table.add_row(Text(group, style="bold"))
        for member in those:
            lines = [Padding(Text(member.name), (0, 0, 0, 2))]
            if member.standing != "seated":
                lines.append(Padding(Text(_standing(member), style="dim"), (0, 0, 0, 4)))
            table.add_row(
                Group(*lines),
                member.tier,
                str(member.power),
                percent(member.reputation_ppm),
                percent(member.total.available_ppm),
            )
    return table


def _standing(member: "MemberView") -> str:
    if member.penalty is not None:
        lost = watt(member.penalty.amount_micro)
        return f"{member.standing}, loses {lost} WATT on {bangkok(member.penalty.due_ms, '%Y-%m-%d')}"
    if member.standing == "candidate":
        said = f"{len(member.attested_by)} attested, {len(member.endorsed_by)} endorsed"
        return f"candidate: {said}, {member.observed_blocks} blocks observed"
    return member.standing


def print_availability(served: "Availability") -> None:
    """The network against its goal: the newest days, and all of them."""
    if not served.days:
        out.print("Nothing is counted of the network's availability: one node alone makes the blocks.", soft_wrap=True)
        return
    target = percent(served.target_ppm)
    table = Table(box=None)
    table.add_column("day (UTC)")
    for heading in ("available", "blocks", "late", "lost", "rounds", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    lines: list[tuple[str, Service]] = [(day.date, day) for day in served.days]
    for name, one in (*lines, ("all", served.total)):
        holds = one.available_ppm is None or one.available_ppm >= served.target_ppm
        table.add_row(
            name,
            percent(one.available_ppm, TEN_THOUSANDTHS),
            str(one.blocks),
            str(one.late),
            f"{Decimal(one.lost_ms) / 1_000:,.1f} s",
            str(one.rounds),
            "" if holds else f"below {target}",
        )
    out.print(f"Availability of the network, goal {target}", highlight=False)
    out.print(table)


def print_proposals(page: "Proposals", nothing: str) -> None:
    """Newest first, with the votes by name."""
    if not page.proposals:
        out.print(nothing)
    for one in page.proposals:
        say(f"{one.number}  {_act(one)}, by {one.proposer.name or one.proposer.member}")
        say(f"   {_state(one)}")
        for yes in (True, False):
            names = [vote.name or vote.member for vote in one.votes if vote.yes == yes]
            if names:
                say(f"   {'yes' if yes else 'no'}: {', '.join(names)}")


def _act(one: "ProposalView") -> str:
    words = one.act.replace("_", " ")
    subject = one.subject_name or one.subject
    if one.licence is not None:
        words = "license node" if one.licence.licensed else "take the licence of node"
    return f"{words} {subject}".rstrip()


def _state(one: "ProposalView") -> str:
    if one.outcome == "open":
        closes = "the market goes on" if one.closes_ms is None else bangkok(one.closes_ms)
        return f"open until {closes}: {one.yes} yes, {one.no} no, {one.needed} of {one.voters} needed"
    why = f" ({one.code_name})" if one.code else ""
    return f"{one.outcome}{why}: {one.yes} yes, {one.no} no"


def powers_table(powers: "list[PowerView]") -> Table:
    """Who may do what."""
    table = Table(box=None)
    for heading in ("act", "who", "who votes", "carried by", "while frozen"):
        table.add_column(heading, overflow="fold")
    for power in powers:
        table.add_row(
            power.act.replace("_", " "),
            ", ".join(power.tiers),
            ", ".join(power.voters) or "nobody: it is said alone",
            share_text(power),
            "yes" if power.while_frozen else "",
        )
    return table


def share_text(power: "PowerView") -> str:
    """What carries a proposal."""
    if power.share_of is None:
        return ""
    return f"{'more than' if power.more_than else 'at least'} {power.share_of}/{power.share_in}"


def member_facts(member: "MemberDetail") -> dict[str, object]:
    """One member, a line each."""
    facts: dict[str, object] = {
        "member": f"{member.name} ({member.member})",
        "tax id": member.tax_id,
        "group, tier": f"{member.group}, {member.tier}, zone {member.zone}",
        "standing": f"{_standing(member)}, since {bangkok(member.since_ms)}",
        "votes": member.power,
        "reputation": percent(member.reputation_ppm),
        "available": f"{percent(member.total.available_ppm)} of {member.total.blocks} blocks",
        "absent, missed": f"{member.total.absent} votes, {member.total.missed} turns to propose",
        "stake": f"{watt(member.stake_micro)} WATT",
        "account": member.account,
        "node": f"{member.node} ({'may' if member.licensed else 'may not'} sign batches)",
        "consensus key": member.consensus_key,
        "documents": ", ".join(member.documents),
        "attested by": ", ".join(one.name or one.member for one in member.attested_by) or "nobody",
        "endorsed by": ", ".join(one.name or one.member for one in member.endorsed_by) or "nobody",
    }
    for number, one in enumerate(member.proved, 1):
        facts[f"proved {number}"] = f"{one.kind.replace('_', ' ')} at block {one.height}, {bangkok(one.reported_ms)}"
    return facts
