#!/usr/bin/env bash
# Builds RecBole's environment beside this file, again only when its requirements have changed.
set -euo pipefail
cd "$(dirname "$0")"
if ! cmp -s requirements.txt .venv/requirements.installed; then
  "$(command -v python3.11 || command -v python3)" -m venv .venv
  .venv/bin/python -m pip install --disable-pip-version-check --quiet -r requirements.txt
  .venv/bin/python -m pip install --disable-pip-version-check --quiet --no-deps recbole==1.2.1
  cp requirements.txt .venv/requirements.installed
fi
