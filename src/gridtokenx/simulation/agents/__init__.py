"""Agents: rules that turn an observation into intents. They hold no meter data but what observations brought.

Three kinds, from the least to the most thoughtful:

- `RandomAgent` (`random_agent.py`): zero intelligence within its limits, the measure of what the market's own
  rules achieve;
- `PatientAgent` (`patient.py`): rules that a person can read, on a forecast by like days;
- `LearnedAgent` (`learned.py`): learns its forecast and plans its battery with it.

The last two share how they price and how much they dare (`bidding.py`). All share limits, money and the way a
battery keeps a contract (`agent.py`). One more has no site: `MakerAgent` (`maker.py`), a dealer on both sides.
"""

from random import Random

from gridtokenx.simulation.agents.agent import Agent, PriceWindow, Wish
from gridtokenx.simulation.agents.bidding import CourseForecaster
from gridtokenx.simulation.agents.maker import MakerAgent
from gridtokenx.simulation.agents.patient import PatientAgent
from gridtokenx.simulation.agents.random_agent import RandomAgent
from gridtokenx.simulation.forecast import Forecaster
from gridtokenx.simulation.observation import MarketTerms
from gridtokenx.simulation.scenario import LearnedSettings, RandomSettings, Site, SkyTable

__all__ = [
    "Agent",
    "CourseForecaster",
    "MakerAgent",
    "PatientAgent",
    "PriceWindow",
    "RandomAgent",
    "Wish",
    "make_agent",
    "make_forecaster",
]


def make_forecaster(site: Site, terms: MarketTerms, sky: SkyTable) -> CourseForecaster:
    """The forecast that the site's agent decides by; by like days for one that does not forecast.

    Raises `ScenarioError` when the agent learns and LightGBM cannot be loaded.
    """
    if isinstance(site.agent, LearnedSettings):
        from gridtokenx.simulation.forecast_learned import LearnedForecaster  # noqa: PLC0415 - see `make_agent`

        return LearnedForecaster(terms.tariff, site.export_capacity_w("solar"), sky)
    return Forecaster(terms.tariff, site.export_capacity_w("solar"), sky)


def make_agent(site: Site, terms: MarketTerms, sky: SkyTable, seed: int) -> Agent:
    """The agent that the scenario names for a site; `seed` matters to the random kind only.

    Raises `ScenarioError` for one that learns when LightGBM cannot be loaded; nobody else loads it.
    """
    if isinstance(site.agent, RandomSettings):
        return RandomAgent(site, terms, sky, site.agent, Random(f"{seed} {site.name}"))
    if isinstance(site.agent, LearnedSettings):
        from gridtokenx.simulation.agents.learned import LearnedAgent  # noqa: PLC0415 - LightGBM takes half a second

        return LearnedAgent(site, terms, sky, site.agent)
    return PatientAgent(site, terms, sky, site.agent)
