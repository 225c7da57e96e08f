"""The rules of identity."""

from collections.abc import Iterator

import msgspec

from gridtokenx.ledger import schedule
from gridtokenx.ledger.account import ACCOUNTS, Account
from gridtokenx.ledger.context import Context
from gridtokenx.ledger.errors import Rejected
from gridtokenx.ledger.module import Module
from gridtokenx.ledger.quantities import interval_key, interval_of
from gridtokenx.ledger.state import State
from gridtokenx.ledger.transaction import check_keys, keys_hash
from gridtokenx.ledger.transaction import rotate_keys as rotate_account_keys
from gridtokenx.modules.identity import aggregation, rosters, storage
from gridtokenx.modules.identity.messages import (
    NO_CAPACITY,
    AcceptMember,
    ExcludeMember,
    IdentityCode,
    JoinPortfolio,
    Kyc,
    LeavePortfolio,
    Licence,
    OpenPortfolio,
    RegisterAccount,
    RegisterParticipant,
    RegisterPortfolio,
    RegisterSite,
    RegisterStorage,
    ReplaceMeterKey,
    RoleName,
    RotateKeys,
    SuspendParticipant,
    UpdateParticipant,
)
from gridtokenx.modules.identity.state import (
    FEEDERS,
    METER_STARTED,
    METERS,
    PARTICIPANT_CHANGED,
    PARTICIPANTS,
    PORTFOLIOS,
    ROLES,
    SITES,
    ZONES,
    Meter,
    Participant,
    Role,
    Site,
    add_portfolio,
    owner_of,
    participant_of,
    references,
    require_role,
    role_key,
)


def register_participant(state: State, context: Context, message: RegisterParticipant) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, `PARTICIPANT_EXISTS`, `CLASS_UNKNOWN`."""
    require_role(state, context.sender, RoleName.REGISTRAR)
    if state.get(PARTICIPANTS, message.participant) is not None:
        raise Rejected(IdentityCode.PARTICIPANT_EXISTS, "participant")
    state.put(PARTICIPANTS, message.participant, _participant(message, suspended=False))
    return ()


def update_participant(state: State, context: Context, message: UpdateParticipant) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, `PARTICIPANT_UNKNOWN`, `CLASS_UNKNOWN`, `SUPPLIER_DOES_NOT_TRADE`."""
    require_role(state, context.sender, RoleName.REGISTRAR)
    current = participant_of(state, message.participant)
    check_licence(state, message.participant, message.licence)
    state.put(PARTICIPANTS, message.participant, _participant(message, suspended=current.suspended))
    schedule.add(state, context.time_ms, PARTICIPANT_CHANGED, message.participant)
    return ()


def suspend_participant(state: State, context: Context, message: SuspendParticipant) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, `PARTICIPANT_UNKNOWN`."""
    require_role(state, context.sender, RoleName.REGISTRAR)
    current = participant_of(state, message.participant)
    changed = msgspec.structs.replace(current, suspended=message.suspended)
    state.put(PARTICIPANTS, message.participant, changed)
    schedule.add(state, context.time_ms, PARTICIPANT_CHANGED, message.participant)
    return ()


def register_account(state: State, context: Context, message: RegisterAccount) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, `PARTICIPANT_UNKNOWN`, `ACCOUNT_EXISTS`, `KEY_NOT_ALLOWED`."""
    require_role(state, context.sender, RoleName.REGISTRAR)
    participant_of(state, message.participant)
    account_id = allowed_keys_hash(message.algorithm, message.threshold, message.keys)
    if state.get(ACCOUNTS, account_id) is not None:
        raise Rejected(IdentityCode.ACCOUNT_EXISTS, "keys")
    state.put(ACCOUNTS, account_id, Account(message.participant, account_id, 0, b"", 0, 0, 0))
    return ()


def rotate_keys(state: State, context: Context, message: RotateKeys) -> tuple[int, ...]:
    """`KEY_NOT_ALLOWED`."""
    new_hash = allowed_keys_hash(message.algorithm, message.threshold, message.keys)
    rotate_account_keys(state, context.sender, new_hash)
    return ()


def register_site(state: State, context: Context, message: RegisterSite) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, `SITE_EXISTS`, `METER_EXISTS`, `KEY_NOT_ALLOWED`, and as for a portfolio. The registers count
    as those at the end of the interval that is running: the next one is the first that is billed."""
    require_role(state, context.sender, RoleName.REGISTRAR)
    if state.get(SITES, message.site) is not None:
        raise Rejected(IdentityCode.SITE_EXISTS, "site")
    if state.get(METERS, message.meter) is not None:
        raise Rejected(IdentityCode.METER_EXISTS, "meter")
    refuse_weak_key(message.meter_key)
    add_portfolio(
        state,
        message.portfolio,
        message.account,
        message.feeder,
        message.import_w,
        message.export_w,
        message.site,
    )
    state.put(SITES, message.site, Site(message.portfolio, message.feeder, message.meter))
    state.put(METERS, message.meter, Meter(message.meter_key, message.site, message.portfolio))
    running = interval_key(interval_of(context.time_ms))
    start = message.import_wh.to_bytes(8, "big") + message.export_wh.to_bytes(8, "big")
    schedule.add(state, context.time_ms, METER_STARTED, running + message.meter + start)
    return ()


def register_portfolio(state: State, context: Context, message: RegisterPortfolio) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, and as for a portfolio."""
    require_role(state, context.sender, RoleName.REGISTRAR)
    add_portfolio(state, message.portfolio, message.account, message.feeder, 0, NO_CAPACITY, b"")
    return ()


def replace_meter_key(state: State, context: Context, message: ReplaceMeterKey) -> tuple[int, ...]:
    """`NOT_AUTHORISED`, `METER_UNKNOWN`, `KEY_NOT_ALLOWED`."""
    require_role(state, context.sender, RoleName.REGISTRAR)
    meter = state.get(METERS, message.meter)
    if meter is None:
        raise Rejected(IdentityCode.METER_UNKNOWN, "meter")
    refuse_weak_key(message.meter_key)
    state.put(METERS, message.meter, msgspec.structs.replace(meter, public_key=message.meter_key))
    return ()


def assign_role(state: State, role: RoleName, account_id: bytes) -> None:
    """Give an office to an account: `OWNER_UNKNOWN`, `SUPPLIER_DOES_NOT_TRADE`."""
    owner = owner_of(state, account_id)
    if role == RoleName.RESIDUAL_SUPPLIER and participant_of(state, owner).licence != Licence.NONE:
        raise Rejected(IdentityCode.SUPPLIER_DOES_NOT_TRADE, "account")
    state.put(ROLES, role_key(role), Role(account_id))


def check_licence(state: State, participant: bytes, licence: int) -> None:
    """`SUPPLIER_DOES_NOT_TRADE`: everybody settles with the residual supplier, so it has no licence. With this no
    order needs to ask whose it is."""
    supplier = state.get(ROLES, role_key(RoleName.RESIDUAL_SUPPLIER))
    if licence != Licence.NONE and supplier is not None and owner_of(state, supplier.account) == participant:
        raise Rejected(IdentityCode.SUPPLIER_DOES_NOT_TRADE, "licence")


def _participant(message: RegisterParticipant | UpdateParticipant, suspended: bool) -> Participant:
    if message.licence not in list(Licence) or message.kyc not in list(Kyc):
        raise Rejected(IdentityCode.CLASS_UNKNOWN, "licence")
    return Participant(
        message.licence,
        message.licence_until_ms,
        message.kyc,
        message.kyc_until_ms,
        suspended,
        message.group,
        message.short_wh,
        message.long_wh,
    )


def invariants(state: State) -> Iterator[str]:
    """Every reference leads somewhere, and rosters say what memberships do."""
    yield from references(state)
    yield from rosters.invariants(state)
    yield from storage.invariants(state)


def allowed_keys_hash(algorithm: int, threshold: int, keys: tuple[bytes, ...]) -> bytes:
    """The hash of a key list that an account may have; else `KEY_NOT_ALLOWED`."""
    try:
        check_keys(algorithm, threshold, keys)
    except Rejected:
        raise Rejected(IdentityCode.KEY_NOT_ALLOWED, "keys") from None
    for key in keys:
        refuse_weak_key(key)
    return keys_hash(algorithm, threshold, keys)


SMALL_ORDER_KEYS = frozenset(
    bytes.fromhex(text)
    for text in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    )
)
"""The encodings of the eight points of small order (RFC 8032's curve), canonical and not: ZIP-215 accepts
signatures under them that anybody can make."""


def refuse_weak_key(key: bytes) -> None:
    """`KEY_NOT_ALLOWED` for a key under which anybody can sign."""
    if key in SMALL_ORDER_KEYS:
        raise Rejected(IdentityCode.KEY_NOT_ALLOWED, "keys")


MODULE = Module(
    name="identity",
    codes=IdentityCode,
    tables=(
        *(ROLES, ZONES, FEEDERS, PARTICIPANTS, PORTFOLIOS, SITES, METERS),
        *(rosters.SPLIT_RULES, rosters.JOIN_REQUESTS, rosters.MEMBERSHIPS, rosters.ROSTERS),
        *(storage.STORAGES, storage.STORAGE_LEVELS),
    ),
    handlers={
        RegisterParticipant: register_participant,
        UpdateParticipant: update_participant,
        SuspendParticipant: suspend_participant,
        RegisterAccount: register_account,
        RotateKeys: rotate_keys,
        RegisterSite: register_site,
        RegisterPortfolio: register_portfolio,
        ReplaceMeterKey: replace_meter_key,
        OpenPortfolio: aggregation.open_portfolio,
        JoinPortfolio: aggregation.join_portfolio,
        AcceptMember: aggregation.accept_member,
        LeavePortfolio: aggregation.leave_portfolio,
        ExcludeMember: aggregation.exclude_member,
        RegisterStorage: storage.register_storage,
    },
    indexes=(rosters.FIRST_INTERVALS,),
    urgent=frozenset(
        {
            RegisterParticipant,
            UpdateParticipant,
            SuspendParticipant,
            RegisterAccount,
            RegisterSite,
            RegisterPortfolio,
            RegisterStorage,
            ReplaceMeterKey,
        }
    ),
    invariants=invariants,
)
