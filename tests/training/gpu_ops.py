"""Ops that TensorFlow refuses on a GPU under op determinism, in which trecs trains."""

import tensorflow as tf

# TensorFlow 2.21's "determinism is not yet supported in GPU implementation of", "deterministic GPU
# implementation of ... not available" and "would have been executed is not deterministic".
REFUSED = {
    "AdjustContrastv2",
    "Bincount",
    "CropAndResizeGradBoxes",
    "CropAndResizeGradImage",
    "DenseBincount",
    "Dilation2DBackpropFilter",
    "Dilation2DBackpropInput",
    "FakeQuantWithMinMaxVarsGradient",
    "FakeQuantWithMinMaxVarsPerChannelGradient",
    "MaxPoolGradWithArgmax",
    "RaggedBincount",
    "ResizeNearestNeighborGrad",
    "SoftmaxCrossEntropyWithLogits",
    "SparseBincount",
    "SparseSoftmaxCrossEntropyWithLogits",
    "SparseTensorDenseMatMul",
}


def ops_of(step, batch):
    """Names of the ops in the graph of a step, and in the functions that it calls.

    Of a step under op determinism, which this switches on: tf.nn takes other ops then.
    """
    tf.config.experimental.enable_op_determinism()
    batch = tf.nest.map_structure(tf.convert_to_tensor, batch)
    strategy = tf.distribute.get_strategy()
    traced = tf.function(lambda batch: strategy.run(step, (batch,))).get_concrete_function(batch)
    graph = traced.graph.as_graph_def()
    inner = [node for function in graph.library.function for node in function.node_def]
    return {node.op for node in [*graph.node, *inner]}
