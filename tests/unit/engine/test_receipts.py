"""A receipt is proved to a stranger who knows one app hash; nothing else is."""

import msgspec
import pytest
from coin_chain import Sender, id_of
from coin_engine import open_engine

from gridtokenx.engine.receipts import ReceiptProof, prove_receipt, verify_receipt
from gridtokenx.ledger.codec import Decoder, encode

COUNTS = (1, 2, 3, 7)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    engine = open_engine(tmp_path_factory.mktemp("receipts"))
    senders = [Sender(number) for number in range(4)]
    for count in COUNTS:
        engine.solo.submit([senders[number % 4].send(0) for number in range(count)])
    engine.solo.make_block(engine.application.last_block().time_ms + 1_000)
    yield engine.storage.results(2)
    engine.close()


def test_every_receipt_of_a_block_is_proved(results) -> None:
    assert tuple(len(batch.receipts) for batch in results.batches) == COUNTS
    for number, batch in enumerate(results.batches):
        for position, receipt in enumerate(batch.receipts):
            proof = prove_receipt(results, number, position)
            assert proof.receipt == receipt
            assert verify_receipt(results.app_hash, proof)
            assert not verify_receipt(bytes(32), proof)
            assert Decoder(ReceiptProof)(encode(proof)) == proof


def test_no_part_of_a_proof_can_be_another(results) -> None:
    proof, other = prove_receipt(results, 3, 5), prove_receipt(results, 2, 0)
    for field in ("receipt", "path_in_batch", "batch_root", "path_in_block"):
        assert not verify_receipt(results.app_hash, msgspec.structs.replace(proof, **{field: getattr(other, field)}))
    for field in ("receipt", "batch_root", "last_block", "proof_items"):
        value = bytearray(getattr(proof, field))
        for position in range(0, len(value), 7):
            changed = bytes(value[:position]) + bytes([value[position] ^ 1]) + bytes(value[position + 1 :])
            assert not verify_receipt(results.app_hash, msgspec.structs.replace(proof, **{field: changed}))
    assert not verify_receipt(results.app_hash, msgspec.structs.replace(proof, last_block=b"nonsense"))


def test_there_is_no_proof_of_what_is_not_there(results) -> None:
    with pytest.raises(LookupError):
        prove_receipt(results, 0, 1)
    with pytest.raises(LookupError):
        prove_receipt(results, 4, 0)
    assert id_of(Sender(0).send(0)) in prove_receipt(results, 0, 0).receipt
