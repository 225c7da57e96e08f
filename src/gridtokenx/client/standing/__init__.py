"""Standing instructions: what a household says once, and an agent of its own does every day.

    instructions.py   what can be said: sell what the roof will likely have left, buy so much a day
    planning.py       which orders follow from instructions and facts: a pure function
    memory.py         what the agent wrote down before it acted, so that nothing is done twice after a crash
    agent.py          the loop: look, plan, write down, send, find out what became of it

The agent is a process under the household's control, with the household's keys; they never leave it. It places plain
limit orders only, good till the gate, so the call phase takes them too, and it is a participant like any other: the
chain, the gateway and the market know nothing of agents.
"""
