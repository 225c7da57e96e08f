"""Portfolios with members: who consented to what, what the portfolio did with all its meters, and the split."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from gridtokenx.modules.identity.messages import RoleName
from gridtokenx.modules.identity.rosters import JOIN_REQUESTS, MEMBERSHIPS, ROSTERS, SPLIT_RULES, Membership, Roster
from gridtokenx.modules.identity.state import PORTFOLIOS, ROLES
from gridtokenx.modules.market.messages import Terms
from gridtokenx.modules.market.state import INTERVALS, POSITIONS
from gridtokenx.modules.settlement.state import SPLITS, STATEMENTS, Statement
from gridtokenx.simulation import audit_rules as rules
from gridtokenx.simulation.audit_told import Told

Changed = dict[bytes, tuple[Any, Any]]


class MemberAudit:
    """Looks at rosters and splits. `copy` is the auditor's copy of the tables, by prefix."""

    def __init__(self, copy: dict[int, dict[bytes, Any]]) -> None:
        self.copy = copy
        self.findings: list[str] = []
        self._of_site: defaultdict[bytes, dict[bytes, None]] = defaultdict(dict)
        """The keys of each site's memberships."""
        for key in copy[MEMBERSHIPS.prefix]:
            self._of_site[key[:8]][key] = None

    def check_rosters(self, told: Told, changes: dict[int, Changed]) -> None:
        """Nobody became a member without asking and being taken in, or stopped being one without having it so; and
        nothing changed for an interval that was open."""
        self.findings = []
        for key, (old, new) in changes[JOIN_REQUESTS.prefix].items():
            if new is not None and new != old and (self._account(key), key, new.portfolio) not in told.joined:
                self.findings.append(f"site {key.hex()} never asked to join {new.portfolio.hex()}")
        for key, (_, new) in changes[MEMBERSHIPS.prefix].items():
            self._of_site[key[:8]].pop(key, None)
            if new is not None:
                self._of_site[key[:8]][key] = None
        changed = [(key, *pair) for key, pair in changes[MEMBERSHIPS.prefix].items() if pair[1] is not None]
        for key, old, new in changed:
            member, first = key[:8], int.from_bytes(key[8:], "big")
            aggregator = self._account(new.portfolio)
            before = changes[JOIN_REQUESTS.prefix].get(member, (None, None))[0]
            asked = before is not None and before.portfolio == new.portfolio
            asked = asked or (self._account(member), member, new.portfolio) in told.joined
            if old is None and not (asked and (aggregator, member) in told.accepted):
                self.findings.append(f"site {member.hex()} became a member without both consents")
            if (old is None and self._is_open(first)) or (new.until and old != new and self._is_open(new.until)):
                self.findings.append(f"the membership of {member.hex()} changed in an interval that was open")
            ended = new.until and (old is None or old.until != new.until)
            if ended and not self._may_end(told, member, aggregator):
                self.findings.append(f"the membership of {member.hex()} ended and nobody asked for it")
        for key, (_, roster) in changes[ROSTERS.prefix].items():
            if roster is not None:
                self._check_roster(key, roster)

    def _may_end(self, told: Told, member: bytes, aggregator: bytes) -> bool:
        by = {sender for sender, whom in told.ended if whom == member}
        registrar = self.copy[ROLES.prefix][bytes([RoleName.REGISTRAR])].account
        return bool(by & {self._account(member), aggregator, registrar})

    def _check_roster(self, key: bytes, roster: Roster) -> None:
        portfolio, first = key[:8], int.from_bytes(key[8:], "big")
        members = tuple(sorted(self._members(portfolio, first)))
        sites = [self.copy[PORTFOLIOS.prefix][member] for member in members]
        import_w = sum(site.import_w for site in sites)
        export_w = tuple(sum(site.export_w[source] for site in sites) for source in range(len(roster.export_w)))
        if roster != Roster(members, import_w, export_w):
            self.findings.append(f"roster {key.hex()} is {roster}, the memberships give {members}")
        feeder = self.copy[PORTFOLIOS.prefix][portfolio].feeder
        if any(site.feeder != feeder for site in sites):
            self.findings.append(f"roster {key.hex()} has a member on another feeder")

    def _members(self, portfolio: bytes, interval: int) -> Iterator[bytes]:
        for key, membership in self.copy[MEMBERSHIPS.prefix].items():
            if membership.portfolio == portfolio and self._counts(key, membership, interval):
                yield key[:8]

    def _counts(self, key: bytes, membership: Membership, interval: int) -> bool:
        begun = int.from_bytes(key[8:], "big") <= interval
        return begun and (not membership.until or interval < membership.until)

    def portfolio_of(self, site: bytes, interval: int) -> bytes | None:
        """The portfolio that trades the site in the interval."""
        for key in self._of_site.get(site, ()):
            membership = self.copy[MEMBERSHIPS.prefix][key]
            if self._counts(key, membership, interval):
                found: bytes = membership.portfolio
                return found
        return None

    def roster(self, portfolio: bytes, interval: int) -> Roster | None:
        """The newest roster that had begun by then; None for a portfolio that has none."""
        firsts = [
            key for key in self.copy[ROSTERS.prefix] if key[:8] == portfolio and key[8:] <= interval.to_bytes(4, "big")
        ]
        return self.copy[ROSTERS.prefix][max(firsts)] if firsts else None

    def check_split(self, terms: Terms, tariff_micro: int, key: bytes) -> None:
        """The portfolio's statement, and who got which part of what it has beyond its members' old bills."""
        self.findings = []
        roster = self.roster(key[4:], int.from_bytes(key[:4], "big"))
        statements: dict[bytes, Statement] = self.copy[STATEMENTS.prefix]
        members = {
            name: statements[key[:4] + name]
            for name in (roster.members if roster else ())
            if key[:4] + name in statements
        }
        position = self.copy[POSITIONS.prefix][key]
        told, split = statements[key], self.copy[SPLITS.prefix].get(key)
        expected = rules.expected_statement_of_many(terms, tariff_micro, position, list(members.values()))
        if replace(told, split_charge_micro=0, split_credit_micro=0) != expected or split is None:
            self.findings.append(f"statement {key.hex()} is {told} with {split}, its members give {expected}")
            return
        gain = sum(rules.bill(line) for line in members.values()) - rules.bill(expected)
        shares = rules.expected_shares(self.copy[SPLIT_RULES.prefix][key[4:]], gain, members)
        charges = sum(line.charge_micro for line in members.values())
        credits_ = sum(line.credit_micro for line in members.values())
        shared = sum(shares.values())
        wanted = charges, credits_, gain, abs(shared)
        if (
            split.old_charge_micro,
            split.old_credit_micro,
            split.gain_micro - split.loss_micro,
            split.shared_micro,
        ) != (wanted):
            self.findings.append(f"split {key.hex()} is {split}, the members' old bills and the trades give {wanted}")
        for name, amount in {**shares, key[4:]: charges - credits_ - shared}.items():
            line = statements[key[:4] + name]
            if line.split_credit_micro - line.split_charge_micro != amount:
                self.findings.append(f"{name.hex()} has another part of split {key.hex()} than {amount}")

    def split_of(self, key: bytes) -> bytes | None:
        """The key of the split that a site's statement has a part of."""
        portfolio = self.portfolio_of(key[4:], int.from_bytes(key[:4], "big"))
        return key[:4] + portfolio if portfolio and key[:4] + portfolio in self.copy[SPLITS.prefix] else None

    def unsplit(self, interval: bytes) -> list[str]:
        """What must hold when the interval is settled: each portfolio with members that traded was split."""
        positions, splits = self.copy[POSITIONS.prefix], self.copy[SPLITS.prefix]
        return [
            f"portfolio {portfolio.hex()} traded and was not split"
            for portfolio in self.copy[SPLIT_RULES.prefix]
            if interval + portfolio in positions and interval + portfolio not in splits
        ]

    def _is_open(self, interval: int) -> bool:
        return max(self.copy[INTERVALS.prefix], default=b"") >= interval.to_bytes(4, "big")

    def _account(self, portfolio: bytes) -> bytes:
        found = self.copy[PORTFOLIOS.prefix].get(portfolio)
        return found.account if found else b""
