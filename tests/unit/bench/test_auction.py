"""The markets of `bench auction` are as odd as it says, and its rival finds no better answer."""

from gridtokenx.bench.auction import cleared, large_market, odd_market, timed, welfare_gap


def test_the_linear_program_finds_the_same_welfare() -> None:
    assert {welfare_gap(odd_market(seed)) for seed in range(150)} == {0}


def test_markets_are_of_every_kind() -> None:
    seen = set()
    for seed in range(150):
        nodes, links, entries = market = odd_market(seed)
        outcome = cleared(market)
        sides = {sale for _, sale, _, _ in entries}
        seen |= {
            ("nodes", nodes),
            ("one-sided", len(sides) == 1),
            ("one price", len({price for _, _, price, _ in entries}) == 1),
            ("no capacity", bool(links) and not any(link.forward_free_wh + link.backward_free_wh for link in links)),
            ("more links than a tree", len(links) >= nodes > 1),
            ("flows", any(outcome.flows_wh)),
            ("rent", any(outcome.rents_micro)),
        }
    assert seen >= {("nodes", nodes) for nodes in range(1, 7)}
    assert {name for name, value in seen if value is True} == {name for name, value in seen if name != "nodes"}


def test_each_part_is_timed_and_the_flows_are_proved() -> None:
    figures, outcome = timed(large_market(300), rounds=1)
    assert set(figures) == {"ladders_s", "solve_s", "check_s", "auction_s"}
    assert outcome == cleared(large_market(300)) and outcome.welfare_micro > 0
