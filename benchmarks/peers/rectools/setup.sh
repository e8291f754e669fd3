#!/usr/bin/env bash
# Builds the environment of this peer beside this file, again only when its requirements have changed.
set -euo pipefail
cd "$(dirname "$0")"
if ! cmp -s requirements.txt .venv/requirements.installed; then
  "$(command -v python3.11 || command -v python3)" -m venv .venv
  # In two steps: the resolver must find the processor's torch in place, not look for another.
  .venv/bin/python -m pip install --disable-pip-version-check --quiet "$(grep ^torch== requirements.txt)"
  .venv/bin/python -m pip install --disable-pip-version-check --quiet -r requirements.txt
  cp requirements.txt .venv/requirements.installed
fi
