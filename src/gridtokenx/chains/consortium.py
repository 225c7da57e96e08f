"""The consortium chain: licensed organisations run the market in WATT."""

from gridtokenx.ledger.module import Chain
from gridtokenx.modules.authority.handlers import MODULE as AUTHORITY
from gridtokenx.modules.grid.handlers import MODULE as GRID
from gridtokenx.modules.identity.handlers import MODULE as IDENTITY
from gridtokenx.modules.market.handlers import MODULE as MARKET
from gridtokenx.modules.settlement.handlers import MODULE as SETTLEMENT
from gridtokenx.modules.tokens.handlers import MODULE as TOKENS

CONSORTIUM = Chain(kind="consortium", protocol=1, modules=(IDENTITY, TOKENS, AUTHORITY, GRID, MARKET, SETTLEMENT))
