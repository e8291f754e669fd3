#!/usr/bin/env bash
# RecBole has one environment here, that of benchmarks/recbole.
exec "$(dirname "$0")/../../recbole/setup.sh"
