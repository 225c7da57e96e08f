"""The data folder of a market that was started from a scenario: what lies in it besides the node's own files.

    scenario/    a copy of the scenario, so that the folder is whole by itself
    keys/        development keys of everybody in the scenario, for whoever wants to sign as them
    community/   what the sites' side has to remember: registers, batteries, readings under way, visitors;
                 and who agreed to be shown by name (recordings, not people)
    logs/        what the processes print
    up.lock      held by the running `gridtokenx up`
    run/         up.pid: its process id; faucet.sock: where the faucet listens

`engine.folder` says what the node's own files are. Nothing is ever written outside the folder.
"""

import fcntl
import os
import shutil
from pathlib import Path

import msgspec

from gridtokenx.client.keystore import Keystore
from gridtokenx.engine.folder import DataFolder, FolderUnusable, create_data_folder
from gridtokenx.simulation.driver import DriverState
from gridtokenx.simulation.genesis import ScenarioGenesis, make_genesis
from gridtokenx.simulation.scenario import Scenario, load_scenario

KNOWN_NAMES = frozenset(
    {
        *("genesis.bin", "node.key", "db", "journal", "run", "lock"),
        *("scenario", "keys", "community", "logs", "up.lock"),
    }
)


class MarketFolder:
    """Paths and contents of one market's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.node = DataFolder(path)
        self.scenario = path / "scenario"
        self.keys = path / "keys"
        self.community = path / "community"
        self.logs = path / "logs"
        self.lock = path / "up.lock"
        self.pid = self.node.run / "up.pid"
        self.faucet = self.node.run / "faucet.sock"
        self.showcase = self.community / "showcase.json"

    @property
    def exists(self) -> bool:
        """Whether a market has been started here before."""
        return self.node.genesis.is_file() and self.node.key.is_file()

    def prepare(self, scenario_path: Path | None, default: Path) -> tuple[Scenario, ScenarioGenesis]:
        """The scenario of this folder; makes the folder if there is none, from `scenario_path` or the default.

        A start that was interrupted is completed. Raises `FolderUnusable` if the folder runs another scenario than
        the one that was asked for, or is no data folder at all; `ScenarioError` for a scenario that cannot be used.
        """
        if self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()
        if not self.exists:
            source = scenario_path or default
            genesis = make_genesis(load_scenario(source))
            create_data_folder(self.path, genesis.data, genesis.node_key.secret())
        if not self.scenario.is_dir():
            self._copy_scenario(scenario_path or default)
        scenario = load_scenario(self.scenario)
        genesis = make_genesis(scenario)
        if scenario_path is not None and load_scenario(scenario_path).name != scenario.name:
            raise FolderUnusable(
                f"{self.path} holds the market of {scenario.name}: choose another --data, or `gridtokenx reset` it"
            )
        self.write_companions(genesis)
        return scenario, genesis

    def write_companions(self, genesis: ScenarioGenesis) -> None:
        """What goes with a market besides its chain: keys, folders, and who agreed to be shown."""
        self._write_keys(genesis)
        for folder in (self.community, self.logs, self.node.run):
            folder.mkdir(mode=0o700, exist_ok=True)
        shown = {connection.portfolio.hex(): name for name, connection in genesis.connections.items()}
        self.showcase.write_bytes(msgspec.json.encode(shown))

    def _copy_scenario(self, source: Path) -> None:
        """Only the scenario that the genesis was made of: an interrupted first start may be repeated with another."""
        if make_genesis(load_scenario(source)).data != self.node.genesis.read_bytes():
            raise FolderUnusable(
                f"{self.path} was not started from {source}: name its scenario, or `gridtokenx reset` it"
            )
        draft = self.path / ".scenario.draft"
        shutil.rmtree(draft, ignore_errors=True)
        folder = source if source.is_dir() else source.parent
        shutil.copytree(folder, draft)
        draft.rename(self.scenario)

    def _write_keys(self, genesis: ScenarioGenesis) -> None:
        keystore = Keystore(self.keys)
        present = set(keystore.names())
        owners = [*genesis.organisations.values(), *(each.owner for each in genesis.connections.values())]
        for owner in owners:
            for name, key in owner.keys.items():
                if name not in present:
                    keystore.add_development_key(name, key)

    def load_driver_state(self) -> DriverState | None:
        """What the sites' side remembered last; None at the first start."""
        file = self.community / "state.msgpack"
        return msgspec.msgpack.decode(file.read_bytes(), type=DriverState) if file.exists() else None

    def save_driver_state(self, state: DriverState) -> None:
        """Whole or not at all, and on the disk when this returns."""
        file, draft = self.community / "state.msgpack", self.community / ".state.draft"
        with draft.open("wb") as stream:
            stream.write(msgspec.msgpack.encode(state))
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(file)

    def delete(self) -> list[str]:
        """Delete everything that a market put here. Returns the names of other things, which stay with the folder."""
        for name in sorted(KNOWN_NAMES):
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        left = sorted(path.name for path in self.path.iterdir())
        if not left:
            self.path.rmdir()
        return left


class UpLock:
    """One `gridtokenx up` a folder, from its start to its end, however it ends."""

    def __init__(self, folder: MarketFolder) -> None:
        """Raises `FolderUnusable` if another one runs."""
        self._folder = folder
        self._file = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._file)
            raise FolderUnusable(f"the market in {folder.path} is running: `gridtokenx down` stops it") from None
        folder.pid.parent.mkdir(mode=0o700, exist_ok=True)
        folder.pid.write_text(f"{os.getpid()}\n")

    def release(self) -> None:
        """Let others have it."""
        self._folder.pid.unlink(missing_ok=True)
        os.close(self._file)


def running_pid(folder: MarketFolder) -> int | None:
    """The process id of the running `gridtokenx up`; None if none runs."""
    try:
        file = os.open(folder.lock, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(folder.pid.read_text())
    finally:
        os.close(file)
    return None
