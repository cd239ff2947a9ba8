"""`python -m tests.peers.install`: the peers from npm, exactly as `package-lock.json` says, or why not.

Set-up goes on without them: their tests are then skipped by name. With `HIKESHI_PEERS=required` it fails.
"""

from __future__ import annotations

import subprocess
import sys

from tests.peers.programs import HERE, missing, node, required

INSTALL_SECONDS = 600.0


def main() -> int:
    """The exit code: 1 only if the peers are required and not there."""
    why = install()
    left_out = [reason for name in ("local-slack", "emulate", "axe-core") if (reason := missing(name))]
    if left_out:
        print(f"      {'; '.join(left_out)}: tests that need them are left out. {why}")
    return 1 if left_out and required() else 0


def install() -> str:
    """Run `npm ci`; empty, or the first line of what went wrong."""
    try:
        program = node()
    except ModuleNotFoundError as error:
        return str(error)
    npm = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [str(program), str(npm), "ci", "--no-progress"]
    try:
        done = subprocess.run(  # noqa: S603 the wheel's own npm
            command, cwd=HERE, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"npm did not finish within {INSTALL_SECONDS:.0f} seconds."
    errors = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
    return "" if done.returncode == 0 else " ".join(errors[:2]) or f"npm ended with {done.returncode}."


if __name__ == "__main__":
    sys.exit(main())
