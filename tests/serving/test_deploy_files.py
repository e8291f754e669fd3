"""The deployment files say what TensorFlow Serving and Kubernetes understand; nothing is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow_serving.config import model_server_config_pb2

DEPLOY = Path(__file__).parents[2] / "deploy"
INT64, BOOL, STRING, MESSAGE = 3, 8, 9, 11


def _message(name: str, messages: dict[str, list[tuple[str, int, int, str]]]) -> Any:
    """A message class by its fields (name, number, type, message type).

    The wheel of the API leaves out the protos of batching and monitoring; these are the fields of
    session_bundle_config.proto and monitoring_config.proto that the files use.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package="t", syntax="proto3")
    for message, fields in messages.items():
        added = file.message_type.add(name=message)
        for field, number, kind, of in fields:
            added.field.add(name=field, number=number, type=kind, label=1, type_name=of or None)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{name}"))()


def _parsed(name: str, message: Any) -> Any:
    return text_format.Parse((DEPLOY / "config" / name).read_text("utf-8"), message)


def test_the_model_config_serves_the_newest_version():
    config = _parsed("model.config", model_server_config_pb2.ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("shop", "/models/shop")
    assert model.model_version_policy.latest.num_versions == 1


def test_batching_does_not_pad_as_tensorflow_serving_would():
    value = [("value", 1, INT64, "")]
    fields = [
        ("max_batch_size", 1, MESSAGE, "t.Value"),
        ("batch_timeout_micros", 2, MESSAGE, "t.Value"),
        ("max_enqueued_batches", 3, MESSAGE, "t.Value"),
        ("num_batch_threads", 4, MESSAGE, "t.Value"),
        ("pad_variable_length_inputs", 7, BOOL, ""),
    ]
    message = _message("BatchingParameters", {"BatchingParameters": fields, "Value": value})
    config = _parsed("batching.config", message)
    assert config.max_batch_size.value == 64
    assert not config.pad_variable_length_inputs


def test_metrics_are_where_the_local_server_has_them():
    from trecs.serving.rest_app import METRICS_PATH

    inner = [("enable", 1, BOOL, ""), ("path", 2, STRING, "")]
    outer = [("prometheus_config", 1, MESSAGE, "t.PrometheusConfig")]
    message = _message("MonitoringConfig", {"MonitoringConfig": outer, "PrometheusConfig": inner})
    config = _parsed("monitoring.config", message).prometheus_config
    assert (config.enable, config.path) == (True, METRICS_PATH)


@pytest.mark.parametrize("service", ["cpu", "gpu"])
def test_compose_mounts_what_its_flags_name(service: str):
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    found = compose["services"][service]
    mounted = dict(volume.split(":")[:2] for volume in found["volumes"])
    config = next(host for host, inside in mounted.items() if inside == "/config")
    for flag in found["command"]:
        if "=/config/" in flag:
            assert (DEPLOY / config / flag.split("=/config/")[1]).exists()
    assert all(port.startswith("127.0.0.1:") for port in found["ports"])


def test_the_manifests_fit_together():
    text = (DEPLOY / "kubernetes" / "serving.yaml").read_text("utf-8")
    by_kind = {one["kind"]: one for one in yaml.safe_load_all(text)}
    pod = by_kind["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    kustomization = (DEPLOY / "kubernetes" / "kustomization.yaml").read_text("utf-8")
    (generated,) = yaml.safe_load(kustomization)["configMapGenerator"]

    assert set(by_kind) == {"Deployment", "Service", "PodDisruptionBudget"}
    assert {port["targetPort"] for port in by_kind["Service"]["spec"]["ports"]} == set(ports)
    for one in ("Service", "PodDisruptionBudget"):
        selector = by_kind[one]["spec"]["selector"]
        assert selector.get("matchLabels", selector) == pod["metadata"]["labels"]
    assert {m["name"] for m in container["volumeMounts"]} == {
        volume["name"] for volume in pod["spec"]["volumes"]
    }
    assert generated["name"] == "shop-serving-config"
    for file in generated["files"]:
        assert (DEPLOY / "kubernetes" / file).resolve().exists()
