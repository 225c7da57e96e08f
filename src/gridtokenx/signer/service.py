"""What the signer answers: requests of CometBFT in, responses out. Nothing here knows of sockets."""

import logging
import statistics
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from gridtokenx.engine.comet.privval_pb2 import (
    Message,
    Proposal,
    PubKeyRequest,
    PubKeyResponse,
    RemoteSignerError,
    SignedProposalResponse,
    SignedVoteResponse,
    SignProposalRequest,
    SignVoteRequest,
    Vote,
)
from gridtokenx.signer.guard import GuardBroken, WouldSignTwice
from gridtokenx.signer.keyring import Keyring, KeyUnknown
from gridtokenx.signer.keys import KeyFailed
from gridtokenx.signer.sign_bytes import (
    PRECOMMIT,
    RequestInvalid,
    extension_bytes,
    is_nil,
    proposal_bytes,
    proposal_place,
    read_canonical,
    vote_bytes,
    vote_place,
)

TIMES_KEPT: Final = 1_000

log = logging.getLogger("gridtokenx.signer")


class Refusal(IntEnum):
    """Why nothing was signed; the code that CometBFT is told."""

    LEASE = 1
    """Another node holds the lease."""
    TWICE = 2
    """Something else was signed there, or the validator has come further."""
    CHAIN = 3
    """The request is of another chain."""
    INVALID = 4
    """The request makes no sense."""
    KEY = 5
    """The request is of a validator whose key is not here."""
    FAILED = 6
    """The key, or the disk, does not work."""


class Refused(Exception):
    """Nothing was signed."""

    def __init__(self, kind: Refusal, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


_KINDS: Final = {
    RequestInvalid: Refusal.INVALID,
    WouldSignTwice: Refusal.TWICE,
    KeyUnknown: Refusal.KEY,
    KeyFailed: Refusal.FAILED,
    GuardBroken: Refusal.FAILED,
}


@dataclass(slots=True)
class Counts:
    """What happened since the start. `times_ms`: of the last signatures, from the request to the answer."""

    signed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    times_ms: deque[float] = field(default_factory=lambda: deque(maxlen=TIMES_KEPT))

    def percentiles_ms(self) -> tuple[float, float] | None:
        """Median and 99th of a hundred of the last signatures."""
        times = sorted(self.times_ms)
        if not times:
            return None
        return statistics.median(times), times[min(len(times) - 1, len(times) * 99 // 100)]


class Service:
    """Signs with the keys of one keyring. To be called by one thread, but for `refuse`, which may be any."""

    def __init__(self, ring: Keyring) -> None:
        self.ring = ring
        self.chain = ring.config.chain
        self.counts = Counts()
        self._told: dict[str, bytes] = {}
        """The key that a node was told last."""

    def answer(self, node: str, request: Message) -> Message:
        """To a question for the public key, a vote or a proposal to be signed."""
        kind = request.WhichOneof("sum")
        started_s = time.perf_counter()
        try:
            if kind == "pub_key_request":
                return Message(pub_key_response=self._public_key(node, request.pub_key_request))
            if kind == "sign_vote_request":
                answer = Message(signed_vote_response=self._vote(request.sign_vote_request))
            else:
                answer = Message(signed_proposal_response=self._proposal(node, request.sign_proposal_request))
        except tuple(_KINDS) as error:
            return self.refuse(node, request, Refused(_KINDS[type(error)], str(error)))
        except Refused as refusal:
            return self.refuse(node, request, refusal)
        self.counts.signed += 1
        self.counts.times_ms.append((time.perf_counter() - started_s) * 1_000)
        return answer

    def refuse(self, node: str, request: Message, refusal: Refused, *, loud: bool = True) -> Message:
        """The answer that says why not. Not `loud`: it is counted, and stands in no log."""
        self.counts.refused[refusal.kind.name.lower()] += 1
        if loud:
            log.warning("refused %s: %s", node, refusal)
        error = RemoteSignerError(code=refusal.kind, description=str(refusal))
        kind = request.WhichOneof("sum")
        if kind == "pub_key_request":
            return Message(pub_key_response=PubKeyResponse(pub_key={}, error=error))
        if kind == "sign_vote_request":
            return Message(signed_vote_response=SignedVoteResponse(vote=_EMPTY_VOTE, error=error))
        return Message(signed_proposal_response=SignedProposalResponse(proposal=_EMPTY_PROPOSAL, error=error))

    def _public_key(self, node: str, request: PubKeyRequest) -> PubKeyResponse:
        self._check_chain(request.chain_id)
        key = self.ring.present.public_key
        self._told[node] = key
        return PubKeyResponse(pub_key={"ed25519": key})

    def _vote(self, request: SignVoteRequest) -> SignedVoteResponse:
        self._check_chain(request.chain_id)
        vote = request.vote
        place = vote_place(vote)
        held = self.ring.of_address(vote.validator_address)
        extension = b""
        if vote.type == PRECOMMIT and not is_nil(vote.block_id):
            # CometBFT wants it always, and signs it anew each time: an application may say something else.
            extension = extension_bytes(self.chain, vote)
        signed = held.sign(place, vote_bytes(self.chain, vote))
        self.ring.note_signed(held)
        answer = Vote()
        answer.CopyFrom(vote)
        answer.signature = signed.signature
        answer.timestamp.CopyFrom(read_canonical(place.step, signed.sign_bytes).timestamp)
        answer.extension_signature = held.key.sign(extension) if extension else b""
        return SignedVoteResponse(vote=answer)

    def _proposal(self, node: str, request: SignProposalRequest) -> SignedProposalResponse:
        self._check_chain(request.chain_id)
        proposal = request.proposal
        place = proposal_place(proposal)
        held = self.ring.of_key(self._told.get(node))
        signed = held.sign(place, proposal_bytes(self.chain, proposal))
        self.ring.note_signed(held)
        answer = Proposal()
        answer.CopyFrom(proposal)
        answer.signature = signed.signature
        answer.timestamp.CopyFrom(read_canonical(place.step, signed.sign_bytes).timestamp)
        return SignedProposalResponse(proposal=answer)

    def _check_chain(self, chain: str) -> None:
        if chain != self.chain:
            raise Refused(Refusal.CHAIN, f"the node is of the chain '{chain}', this signer signs for '{self.chain}'")


# What CometBFT writes in the place of what was not signed.
_EMPTY_VOTE: Final = Vote(block_id={"part_set_header": {}}, timestamp={})
_EMPTY_PROPOSAL: Final = Proposal(block_id={"part_set_header": {}}, timestamp={})
