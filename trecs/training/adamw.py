"""AdamW whose step is one operation a variable."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class FusedAdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` (Loshchilov and Hutter 2019), by TensorFlow's own kernel of Adam.

    Keras writes the step as some twenty operations a variable, and the learning rate anew for each
    that decays, most of the graph of a training step of many small weights. Both compute the same,
    up to rounding. Gradients of rows are left to Keras, which squares those of a row one by one,
    where a dense gradient is the square of their sum: rows that a batch has often take longer
    steps, and all of trecs was measured with these. Of `amsgrad` the kernel knows nothing.
    """

    def _apply_weight_decay(self, variables: list[keras.Variable]) -> None:
        """Nothing: a variable decays in its step."""

    def _backend_update_step(
        self, grads: list[Any], trainable_variables: list[keras.Variable], learning_rate: Any
    ) -> None:
        # What the variables share is made once a step. Keras hands what it takes for the rate on to
        # the variables of each replica, whatever it is.
        step = tf.cast(self.iterations.value + 1, tf.float32)
        shared = {
            "lr": learning_rate,
            "beta1_power": self.beta_1**step,
            "beta2_power": self.beta_2**step,
            "beta1": tf.constant(self.beta_1),
            "beta2": tf.constant(self.beta_2),
            "epsilon": tf.constant(self.epsilon),
        }
        super()._backend_update_step(grads, trainable_variables, shared)

    def update_step(self, gradient: Any, variable: tf.Variable, learning_rate: Any) -> None:
        """One variable's step.

        Args:
          gradient: Tensor or IndexedSlices, of the variable's shape.
          variable: the weight, float32, of the replica that is updated.
          learning_rate: float32 scalars of the step by name, `lr` and the kernel's others.
        """
        if self._use_weight_decay(variable):
            variable.assign_sub(variable * self.weight_decay * learning_rate["lr"])
        if isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate["lr"])
            return
        index = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            grad=tf.cast(gradient, variable.dtype),
            **learning_rate,
        )
