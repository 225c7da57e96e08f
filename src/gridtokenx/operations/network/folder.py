"""The folder of a network, and what is where in it.

network.toml       the plan
scenario/          the scenario of the market, moved to today
keys/              development keys of everybody in the scenario
community/         what the sites' side has to remember
signer/            the key of the validator that has backups
node-1/ ...        a data folder for each node, with its consensus home
logs/              what the processes print
run/               sockets and the process id of the running network
lock               held by the running network
"""

import os
from dataclasses import dataclass
from pathlib import Path

from gridtokenx.engine.comet.home import FOLDER, SIGNER_SOCKET, ConsensusHome
from gridtokenx.engine.folder import DataFolder
from gridtokenx.signer.folder import SignerFolder


@dataclass(frozen=True, slots=True)
class NetworkFolder:
    """Paths of one network."""

    path: Path

    @property
    def plan(self) -> Path:
        """What the network is."""
        return self.path / "network.toml"

    @property
    def run(self) -> Path:
        """Only while it runs."""
        return self.path / "run"

    @property
    def control(self) -> Path:
        """Where the running network takes questions."""
        return self.run / "network.sock"

    @property
    def pid(self) -> Path:
        """Process id of the running network."""
        return self.run / "network.pid"

    @property
    def lock(self) -> Path:
        """Held by the running network."""
        return self.path / "lock"

    @property
    def logs(self) -> Path:
        """One file for each process."""
        return self.path / "logs"

    @property
    def signer(self) -> SignerFolder:
        """Has the key of the validator with backups, if there is one."""
        return SignerFolder(self.path / "signer")

    def signs(self, number: int) -> Path:
        """Where the signer reaches a node that shares it."""
        return self.node(number).run / SIGNER_SOCKET

    def node(self, number: int) -> DataFolder:
        """The data folder of a node."""
        return DataFolder(self.path / f"node-{number}")

    def home(self, number: int) -> ConsensusHome:
        """The consensus home of a node."""
        return ConsensusHome(self.node(number).path / FOLDER)

    def rpc(self, number: int) -> Path:
        """Where a node's CometBFT answers."""
        return self.node(number).run / "rpc.sock"

    def log(self, name: str) -> Path:
        """What a process printed."""
        return self.logs / f"{name}.log"

    def make_run(self) -> None:
        """The folders that a running network needs."""
        for folder in (self.run, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.pid.write_text(f"{os.getpid()}\n")
