"""What routes share that answer from an archive's history."""

from gridtokenx.engine.history import History, HistoryMissing
from gridtokenx.gateway import views
from gridtokenx.gateway.codes import GatewayCode
from gridtokenx.gateway.documents import AccountView
from gridtokenx.gateway.problems import Refused
from gridtokenx.gateway.readmodel import ReadModel
from gridtokenx.ledger.account import ACCOUNTS
from gridtokenx.ledger.header import LAST_BLOCK, LAST_BLOCK_KEY
from gridtokenx.ledger.state import R, Table
from gridtokenx.modules.identity.state import PORTFOLIOS


def history_of(model: ReadModel) -> History:
    """What this node remembers. Refuses with `HISTORY_MISSING` where it is no archive."""
    try:
        return model.reader.history()
    except HistoryMissing as missing:
        raise Refused(GatewayCode.HISTORY_MISSING, "height", str(missing)) from None


def require_height(history: History, height: int) -> int:
    """The height, if it is known here. Refuses with `HISTORY_MISSING` for one before the beginning, with `NOT_FOUND`
    for one that is not there yet."""
    if height > history.until:
        raise Refused(GatewayCode.NOT_FOUND, "height", f"the last block is {history.until}")
    try:
        history.require(height)
    except HistoryMissing as missing:
        raise Refused(GatewayCode.HISTORY_MISSING, "height", str(missing)) from None
    return height


def record_at(history: History, table: Table[R], key: bytes, height: int) -> R | None:
    """The record after that block, which must be known here."""
    version = history.at(bytes([table.prefix]) + key, height)
    return None if version is None or version.record is None else table.decode.trusted(version.record)


def is_owner(history: History, own: bytes, portfolio: bytes, height: int) -> bool:
    """Whether the portfolio was the account's after that block."""
    record = record_at(history, PORTFOLIOS, portfolio, height)
    return record is not None and record.account == own


def past_account(model: ReadModel, own: bytes, height: int) -> AccountView:
    """One's own account after that block, with those of the present portfolios that were its own then. Refuses with
    `HISTORY_MISSING`, and with `NOT_FOUND` for a block that is not there yet, or was before the account was opened."""
    history = history_of(model)
    require_height(history, height)
    account = record_at(history, ACCOUNTS, own, height)
    block = record_at(history, LAST_BLOCK, LAST_BLOCK_KEY, height)
    if account is None or block is None:
        raise Refused(GatewayCode.NOT_FOUND, "height", "the account was opened after that block")
    portfolios = [each for each in model.portfolios_of.get(own, ()) if is_owner(history, own, each, height)]
    return views.account_view_at(own, account, height, block.time_ms, portfolios)
