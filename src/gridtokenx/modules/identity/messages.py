"""What can be asked of identity, and its codes. Tags 0x20 to 0x2f, codes 200 to 299."""

from enum import IntEnum
from typing import Annotated

import msgspec

from gridtokenx.ledger.codec import Message, Record
from gridtokenx.ledger.limits import KEYS_PER_ACCOUNT_MAX, POWER_W_MAX, REGISTER_WH_MAX
from gridtokenx.ledger.quantities import PARTS_PER_MILLION
from gridtokenx.ledger.transaction import AccountId, PublicKey, Small, Whole

Pseudonym = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
"""Eight bytes that name a participant, portfolio, site or meter; chosen at random when registered."""

Feeder16 = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class RoleName(IntEnum):
    """Offices that one account (usually of several signers) holds."""

    REGISTRAR = 1
    OPERATOR = 2
    FEE_POOL = 3
    RESIDUAL_SUPPLIER = 4
    TRANSMISSION = 5
    CLEARING = 6
    AUTHORITY = 7
    CONGESTION = 8


class Licence(IntEnum):
    """What a participant may do in the market."""

    NONE = 0
    SANDBOX = 1
    PROSUMER = 2
    SUPPLIER = 3
    DEALER = 4
    AGGREGATOR = 5


class Kyc(IntEnum):
    """State of the identity check that was done outside the chain."""

    NONE = 0
    PENDING = 1
    VERIFIED = 2
    REVOKED = 3


class Source(IntEnum):
    """Where energy comes from."""

    SOLAR = 0
    WIND = 1
    HYDRO = 2
    BIOMASS = 3
    GEOTHERMAL = 4
    STORAGE = 5
    CONVENTIONAL = 6


SOURCES = len(Source)
ANY_SOURCE_MASK = (1 << SOURCES) - 1


Power = Annotated[int, msgspec.Meta(ge=0, le=POWER_W_MAX)]

PowersBySource = tuple[Power, Power, Power, Power, Power, Power, Power]
"""Export capacity in W, one number for each `Source`."""

NO_CAPACITY: PowersBySource = (0, 0, 0, 0, 0, 0, 0)

Register = Annotated[int, msgspec.Meta(ge=0, le=REGISTER_WH_MAX)]
"""What a meter has counted in all, in Wh."""

PartsPerMillion = Annotated[int, msgspec.Meta(ge=0, le=PARTS_PER_MILLION)]


class SplitKind(IntEnum):
    """By what a portfolio's gain or loss is shared among its members."""

    METERED = 0
    """Import and export together."""
    EXPORT = 1
    EQUAL = 2


class SplitRule(Record, frozen=True):
    """How a portfolio's gain or loss of an interval is split, for as long as the portfolio stands. Of a gain the
    aggregator keeps `commission_ppm`, of a loss it bears `loss_ppm`; the rest is the members' by `kind`."""

    kind: Small
    commission_ppm: PartsPerMillion
    loss_ppm: PartsPerMillion


KeyList = Annotated[tuple[PublicKey, ...], msgspec.Meta(min_length=1, max_length=KEYS_PER_ACCOUNT_MAX)]


class IdentityCode(IntEnum):
    """Why identity says no."""

    NOT_AUTHORISED = 200
    ROLE_VACANT = 201
    PARTICIPANT_UNKNOWN = 202
    PARTICIPANT_EXISTS = 203
    ACCOUNT_EXISTS = 204
    PORTFOLIO_EXISTS = 205
    SITE_EXISTS = 206
    METER_EXISTS = 207
    FEEDER_UNKNOWN = 208
    ZONE_UNKNOWN = 209
    KEY_NOT_ALLOWED = 210
    CLASS_UNKNOWN = 211
    METER_UNKNOWN = 213
    SUPPLIER_DOES_NOT_TRADE = 214
    OWNER_UNKNOWN = 215
    NOT_AN_AGGREGATOR = 216
    SPLIT_INVALID = 217
    PORTFOLIOS_EXCEEDED = 218
    PORTFOLIO_UNKNOWN = 219
    NOT_YOUR_SITE = 220
    FEEDER_DIFFERS = 221
    SPLIT_DIFFERS = 222
    MEMBER_ALREADY = 223
    NOT_IN_PORTFOLIO = 224
    PORTFOLIO_FULL = 225
    TRADED_BY_AGGREGATOR = 226
    STORAGE_INVALID = 227


class RegisterParticipant(Message, frozen=True, tag=0x20):
    """The registrar admits a participant (a pseudonym)."""

    participant: Pseudonym
    licence: Small
    licence_until_ms: Whole
    kyc: Small
    kyc_until_ms: Whole
    group: Whole
    short_wh: Whole
    long_wh: Whole


class UpdateParticipant(Message, frozen=True, tag=0x21):
    """The registrar changes licence, KYC state, group or dealer's limits; open orders that are no longer
    allowed are cancelled."""

    participant: Pseudonym
    licence: Small
    licence_until_ms: Whole
    kyc: Small
    kyc_until_ms: Whole
    group: Whole
    short_wh: Whole
    long_wh: Whole


class SuspendParticipant(Message, frozen=True, tag=0x22):
    """The registrar stops a participant, or lets it go on."""

    participant: Pseudonym
    suspended: bool


class RegisterAccount(Message, frozen=True, tag=0x23):
    """The registrar opens an account for a participant. Its id is the hash of these keys."""

    participant: Pseudonym
    algorithm: Small
    threshold: Small
    keys: KeyList


class RotateKeys(Message, frozen=True, tag=0x24):
    """The sender's keys from the next block on."""

    algorithm: Small
    threshold: Small
    keys: KeyList


class RegisterSite(Message, frozen=True, tag=0x25):
    """The registrar connects a site, its meter and its portfolio. `import_wh` and `export_wh` are what the meter shows
    when it is connected: from there on its owner is billed."""

    portfolio: Pseudonym
    site: Pseudonym
    meter: Pseudonym
    meter_key: PublicKey
    account: AccountId
    feeder: Feeder16
    import_w: Power
    export_w: PowersBySource
    import_wh: Register
    export_wh: Register


class RegisterPortfolio(Message, frozen=True, tag=0x26):
    """The registrar opens a portfolio without a site: a dealer's."""

    portfolio: Pseudonym
    account: AccountId
    feeder: Feeder16


class ReplaceMeterKey(Message, frozen=True, tag=0x27):
    """The registrar gives a meter a new key; its registers go on."""

    meter: Pseudonym
    meter_key: PublicKey


class OpenPortfolio(Message, frozen=True, tag=0x28):
    """An aggregator opens a portfolio for the sites of others, all on one feeder. Its rule never changes."""

    portfolio: Pseudonym
    feeder: Feeder16
    rule: SplitRule


class JoinPortfolio(Message, frozen=True, tag=0x29):
    """The owner of a site (`member`, the site's own portfolio) asks to be traded by an aggregator's portfolio, and
    consents to its rule by repeating it. Asked again, the newer request counts."""

    member: Pseudonym
    portfolio: Pseudonym
    rule: SplitRule


class AcceptMember(Message, frozen=True, tag=0x2A):
    """The aggregator takes in a site whose owner asked. Receipt: the first interval in which it is a member."""

    member: Pseudonym


class LeavePortfolio(Message, frozen=True, tag=0x2B):
    """The owner takes its site out, or its request back. Receipt: the first interval in which it is no member; 0 when
    it never was one."""

    member: Pseudonym


class ExcludeMember(Message, frozen=True, tag=0x2C):
    """The aggregator, or the registrar, takes a site out, or refuses its request. Receipt as for leaving."""

    member: Pseudonym


class RegisterStorage(Message, frozen=True, tag=0x2D):
    """The registrar describes the battery of a site. `alone`: nothing else is behind its meter; then `level_wh` is in
    it while the meter shows `import_wh` and `export_wh`."""

    portfolio: Pseudonym
    capacity_wh: Whole
    charge_w: Power
    efficiency_ppm: PartsPerMillion
    alone: bool
    level_wh: Whole
    import_wh: Register
    export_wh: Register
