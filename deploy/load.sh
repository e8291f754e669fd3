#!/usr/bin/env bash
# Load on a server from another machine, with ghz (https://ghz.sh) over gRPC:
#   deploy/load.sh host:8500 NAME [CLIENTS] [SECONDS]
# ghz needs the protos of TensorFlow Serving: clone tensorflow/serving and tensorflow/tensorflow, and
# set PROTO_PATH to their two roots, separated by a comma.
set -euo pipefail

target=${1:?usage: load.sh host:port NAME [CLIENTS] [SECONDS]}
name=${2:?usage: load.sh host:port NAME [CLIENTS] [SECONDS]}
clients=${3:-50}
seconds=${4:-120}
: "${PROTO_PATH:?the roots of tensorflow/serving and tensorflow/tensorflow, separated by a comma}"

encode() { printf '%s' "$1" | base64; }
request=$(cat <<JSON
{
  "model_spec": {"name": "$name", "signature_name": "recommend"},
  "inputs": {
    "user_id": {"dtype": "DT_STRING", "tensor_shape": {"dim": [{"size": 1}]},
                "string_val": ["$(encode load)"]},
    "history_item_ids": {"dtype": "DT_STRING", "tensor_shape": {"dim": [{"size": 1}, {"size": 2}]},
                         "string_val": ["$(encode 1)", "$(encode 2)"]},
    "history_timestamps": {"dtype": "DT_INT64", "tensor_shape": {"dim": [{"size": 1}, {"size": 2}]},
                           "int64_val": [1700000000, 1700003600]},
    "request_time": {"dtype": "DT_INT64", "tensor_shape": {"dim": [{"size": 1}]},
                     "int64_val": [1700007200]}
  }
}
JSON
)
ghz --insecure --proto tensorflow_serving/apis/prediction_service.proto --import-paths "$PROTO_PATH" \
  --call tensorflow.serving.PredictionService.Predict --data "$request" \
  --concurrency "$clients" --duration "${seconds}s" "$target"
