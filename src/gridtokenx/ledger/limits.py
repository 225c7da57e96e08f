"""A limit on everything, each with its reason. Changing one is a change of protocol."""

TRANSACTION_BYTES_MAX = 16_384
"""Room for 16 keys and signatures and 64 small messages."""

MESSAGES_PER_TRANSACTION_MAX = 64
"""A home's whole quote for a day fits in two transactions; a failure rolls back little."""

KEYS_PER_ACCOUNT_MAX = 16
"""A board of directors; a check costs at most 16 signatures."""

SIGNATURES_PER_TRANSACTION_MAX = 80
"""16 of the account and 64 meter readings."""

TRANSACTION_LIFETIME_MS_MAX = 600_000
"""Ten minutes: how long nodes remember, and how long a sender may be unsure."""

NONCE_WINDOW = 1_024
"""How many orders of one account may overtake each other; also the furthest jump ahead."""

TRANSACTIONS_PER_BATCH_MAX = 2_000
BATCH_BYTES_MAX = 4_194_304
"""A batch crosses the network as one message."""

BATCH_HEADER_BYTES_MAX = 512
"""A header with the longest name of a chain has fewer."""

BATCH_PATH_STEPS_MAX = 11
"""From a transaction to the root of a batch of TRANSACTIONS_PER_BATCH_MAX."""

BATCHES_PER_BLOCK_MAX = 1_024
"""A node makes at most twenty a second: room for 21 of them in a block that took two seconds. Each costs a signature
check and a record."""

SIGNATURES_PER_BLOCK_MAX = 30_000
"""An unseen block verifies in about half a second on two cores."""

TRANSACTIONS_PER_SENDER_AND_BLOCK_MAX = 2_000
"""Quota of a sender; rejected transactions count."""

SCHEDULED_STEPS_PER_BLOCK_MAX = 20_000
"""Work that fell due (gates, deadlines, settlement) per block, so that a block stays under a second."""

MATCH_STEPS_PER_ORDER_MAX = 256
"""Resting orders that one order may meet; its rest is cancelled there, never left crossing."""

AUCTION_STEPS_PER_SLICE = 30_000
"""What of an auction is done in one piece: under a tenth of a second, also where all of it is reading orders."""

AUCTION_STEPS_PER_SCHEDULED_STEP = 3
"""What of an auction counts as one of SCHEDULED_STEPS_PER_BLOCK_MAX: two slices fill a block."""

HALTS_OF_ZONE_MAX = 3
"""How often trade of one zone and interval is interrupted at its price band; later what lies beyond is cancelled."""

HALT_SMALLEST_ORDERS_MIN = 10
"""An interruption needs so many smallest orders' energy that would have traded beyond the band."""

HALT_BY_HAND_MS_MAX = 30 * 86_400_000
"""The operator says again what is to last longer than a month."""

CALL_ORDERS_MAX = 2_000
"""Of each side, in one piece of the call that ends a halt. Where more would trade, more calls follow."""

AUCTION_STEPS_MAX = 10_000_000
"""Of the search for the optimum; the hardest market that was made up needs 3.9 million. Beyond it each zone is cleared
by itself."""

ICEBERG_PARTS_MAX = 20
"""In how many parts an order may show itself at most: each part is a step of those that meet it."""

BLOCK_ORDER_INTERVALS_MAX = 96
"""A block order over a day."""

BLOCK_ORDER_STEPS_MAX = 1_024
"""Resting orders that a block order meets in all its intervals together (and 255 more in the last one): ten in each of
a day. If that is not enough it does not trade."""

BLOCK_ORDERS_MAX = 1_000
"""Block orders that wait, in all: trying each once a minute, 96 intervals each, is 1,600 looks at a book a second."""

BLOCK_ORDERS_OF_PARTICIPANT_MAX = 16
"""Of one participant."""

BLOCK_ORDERS_STEPS = 2_000
"""Of a block of the chain, when block orders that wait are tried again: intervals looked at and orders met. About a
twentieth of a second."""

BLOCK_ORDERS_RETRY_MS = 60_000
"""How often each block order that waits is tried again."""

AMOUNT_MAX = 2**62
"""Largest amount or sum: leaves a bit of headroom in the 63 bits that the encoding carries."""

ENERGY_WH_MAX = 10**12
"""1 TWh in a quarter of an hour is more than any order or register step on earth."""

POWER_W_MAX = 10**11
"""100 GW: three times all of Thailand. What an estimate may take to be the import of one connection stays payable."""

REGISTER_WH_MAX = 2**53
"""A cumulative register: exact in every language's number type."""

PRICE_MICRO_MAX = 1_000 * 10**6
"""1,000 WATT per kWh: any real price is far below; products with energy stay below AMOUNT_MAX."""

ROTATED_KEYS_KEPT_MS = 600_000
"""How long the keys that an account gave up still excuse the author of a batch."""

NODES_MAX = 1_000
"""A hundred validators, and the gateways of many who only take orders in."""

VALIDATORS_MAX = 100
"""What consensus carries with blocks of seconds; each vote of each is in every block."""

VALIDATOR_POWER_MAX = 10**15
"""Twice VALIDATORS_MAX of it (all replaced in one block) stay below the total that consensus can count, 2^63 / 8."""

MISBEHAVIOURS_PER_BLOCK_MAX = 200
"""Two kinds of every validator; consensus itself bounds the bytes of evidence in a block."""

REPORTS_PER_BLOCK_MAX = 64
"""Reports of bad batches, one a participant: each may cost 96 signatures, all of them a fifth of a second."""

EVIDENCE_MS = 7 * 86_400_000
"""A week: how long after a batch's expiry a transaction in it counts as evidence against its author."""

MISDEED_KEPT_MS = 90 * 86_400_000
"""A quarter of a year: how long misdeeds stay in state. Longer than evidence counts, so that none counts twice."""

MEMBERS_MAX = 200
"""A hundred that validate, and as many candidates, reserves and authorities that only watch."""

MEMBER_NAME_LENGTH_MAX = 120
"""A Thai company's registered name."""

MEMBER_DOCUMENTS_MAX = 16
"""Registration, licences, accounts, insurance: what an applicant shows."""

PROPOSALS_OF_MEMBER_MAX = 8
"""Open ones, so that one member cannot fill the list."""

PROPOSAL_BYTES_MAX = 512
"""The largest value of an act, with room."""

PROPOSAL_KEPT_MS = 90 * 86_400_000
"""How long a decided proposal stays to be read."""

FREEZES_KEPT_MS = 60 * 86_400_000
"""How long it stays known when the market was frozen: longer than any deadline that may count from before."""

FREEZE_RETRY_MS = 60_000
"""How often work that waits for the market to go on looks whether it does."""

SERVICE_DAYS_KEPT_MS = 400 * 86_400_000
"""How long it stays known how available the chain was on a day: a year, and a report about it."""

PORTFOLIO_MEMBERS_MAX = 1_000
"""A roster is a record of some eight kilobytes, and a correction splits an interval among all of them anew: some
milliseconds."""

PORTFOLIOS_OF_AGGREGATOR_MAX = 64
"""A portfolio lies on one feeder: room for those of a district. Settlement looks at each in every interval."""

MAKERS_PER_ZONE_MAX = 16
"""Each has a duty in each interval that is not final: some thirty thousand records of seven zones."""

MAKER_LEVELS_MAX = 5
"""Prices of each side, the best first, among which a maker shows its size: a look at a maker costs no more."""

STANDSTILLS_KEPT = 64
"""Of the last times in which the chain stood still, each more than a minute: they count for nobody's presence."""
