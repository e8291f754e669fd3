"""Executes a notebook in a temporary copy and fails where a cell fails.

Usage: python tools/run_notebook.py NOTEBOOK [TIMEOUT_S]

The notebook itself is not written to, so it stays without outputs. It is executed with its own
folder as working directory, and refused if it was committed with outputs.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

CELL_TIMEOUT_S = 1200


def run_notebook(path: Path, timeout_s: int = CELL_TIMEOUT_S) -> int:
    """Executes every cell of `path` and returns the number of code cells.

    Raises:
        ValueError: A code cell has outputs.
        CellExecutionError: A cell raised; the message holds the cell and its traceback.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    with_outputs = [number for number, cell in enumerate(cells, 1) if cell.outputs]
    if with_outputs:
        raise ValueError(
            f"{path}: notebooks are committed without outputs, and code cells {with_outputs} have "
            "some. Clear them (Kernel > Restart and Clear Output) and save."
        )
    client = NotebookClient(
        notebook,
        timeout=timeout_s,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    with TemporaryDirectory() as folder:
        # Writing it shows that its outputs are valid notebook content.
        nbformat.write(notebook, Path(folder) / path.name)
    return len(cells)


def main(arguments: list[str]) -> int:
    """Runs the command line; returns the exit code."""
    if not 1 <= len(arguments) <= 2:
        sys.stderr.write("usage: run_notebook.py NOTEBOOK [TIMEOUT_S]\n")
        return 2
    path = Path(arguments[0])
    timeout_s = int(arguments[1]) if len(arguments) == 2 else CELL_TIMEOUT_S
    started = time.monotonic()
    try:
        num_cells = run_notebook(path, timeout_s)
    except (OSError, ValueError, CellExecutionError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{path}: {num_cells} cells in {time.monotonic() - started:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
