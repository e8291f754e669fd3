#!/usr/bin/env bash
# TensorFlow Recommenders is in trecs' own environment.
exec make -C "$(dirname "$0")/../../.." venv
