"""The real ledger under recorded flow, with dealers added who cheat."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from gridtokenx.chains.consortium import CONSORTIUM
from gridtokenx.chains.genesis import FOREVER_MS, WATT, GenesisBuilder
from gridtokenx.client.keys import PrivateKey
from gridtokenx.client.transactions import LIFETIME_MS
from gridtokenx.engine.application import Application
from gridtokenx.ledger.batch import Batch, BatchHeader, decode_batch, signed_batch
from gridtokenx.ledger.block import Block, BlockOutcome
from gridtokenx.ledger.codec import Message, encode
from gridtokenx.ledger.crypto import merkle_root
from gridtokenx.ledger.limits import TRANSACTION_LIFETIME_MS_MAX
from gridtokenx.ledger.state import State
from gridtokenx.modules.identity.messages import Kyc, Licence
from gridtokenx.modules.identity.state import Participant
from gridtokenx.modules.tokens.state import account_of
from gridtokenx.simulation.development_keys import development_key, development_pseudonym
from gridtokenx.simulation.genesis import FEEDER, OwnedAccount, ScenarioGenesis, make_genesis
from gridtokenx.simulation.scenario import Scenario

DEALER_WATT = 10_000_000
DEALER_WH = 10**9
"""Neither money nor licence limits a cheat here."""


class Dealer(NamedTuple):
    """A participant of its own, without a site."""

    owner: OwnedAccount
    portfolio: bytes


class Replay:
    """One chain of a scenario's homes and some dealers; `seed` draws who the dealers are, and so the order of blocks.
    The same of the same always ends in the same state."""

    def __init__(self, scenario: Scenario, dealers: int, seed: int) -> None:
        self._name = development_pseudonym(scenario.development_seed, "node-1")
        self._key = development_key(scenario.development_seed, "node-1")
        made: list[Dealer] = []
        genesis: ScenarioGenesis = make_genesis(
            scenario, add_members=partial(_add, self._name, self._key, f"cheat {seed}", dealers, made)
        )
        self.chain = genesis.chain
        self.dealers = tuple(made)
        self.homes = tuple(connection.owner.account for connection in genesis.connections.values())
        self._nonces = dict.fromkeys((dealer.owner.account for dealer in made), 0)
        self._sequence = 0
        self._application = Application(CONSORTIUM)
        self._application.init_chain(genesis.data)

    @property
    def state(self) -> State:
        """After the last block."""
        return self._application.state

    @property
    def app_hash(self) -> bytes:
        """From which the next block's order is drawn."""
        return self._application.commitment.root()

    @property
    def time_ms(self) -> int:
        """Of the last block."""
        return self._application.last_block().time_ms

    def block(self, time_ms: int, transactions: Sequence[bytes]) -> BlockOutcome:
        """The next block, with these in one batch. Their signatures were checked when they were recorded or made."""
        batches: tuple[bytes, ...] = ()
        if transactions:
            self._sequence += 1
            expires_ms = time_ms + TRANSACTION_LIFETIME_MS_MAX
            root = merkle_root(list(transactions))
            header = encode(BatchHeader(self.chain, self._name, self._sequence, expires_ms, root))
            batches = (encode(Batch(header, self._key.sign(signed_batch(header)), tuple(transactions))),)
        height = self._application.last_block().height + 1
        block = Block(height, time_ms, self._name, batches)
        outcome = self._application.finalize_block(block, lambda wire: len(decode_batch.trusted(wire).transactions))
        self._application.commit()
        return outcome

    def sign(self, dealer: Dealer, time_ms: int, message: Message) -> bytes:
        """The dealer's next transaction."""
        account = dealer.owner.account
        self._nonces[account] += 1
        return dealer.owner.sign(self.chain, self._nonces[account], time_ms + LIFETIME_MS, message).wire

    def balance_micro(self, accounts: Sequence[bytes]) -> int:
        """Of all these together."""
        return sum(account_of(self.state, account).balance_micro for account in accounts)


def _add(
    node_id: bytes, node_key: PrivateKey, seed: str, count: int, made: list[Dealer], builder: GenesisBuilder
) -> None:
    builder.add_node(node_id, node_key.public_key)
    for number in range(count):
        name = f"dealer {number}"
        participant = development_pseudonym(seed, f"{name} participant")
        licence = Participant(
            Licence.DEALER,
            FOREVER_MS,
            Kyc.VERIFIED,
            FOREVER_MS,
            suspended=False,
            group=0,
            short_wh=DEALER_WH,
            long_wh=DEALER_WH,
        )
        builder.add_participant(participant, licence)
        key = development_key(seed, f"{name} account")
        account = builder.add_account(participant, [key.public_key], 1, DEALER_WATT * WATT)
        portfolio = development_pseudonym(seed, name)
        builder.add_portfolio(portfolio, account, FEEDER)
        made.append(Dealer(OwnedAccount(account, participant, 1, {name: key}), portfolio))
