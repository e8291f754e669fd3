"""AdamW whose step is one operation a variable."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


class FusedAdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` (Loshchilov and Hutter 2019), by TensorFlow's own kernel of Adam.

    Keras writes the step as some twenty operations a variable, most of the graph of a training step
    of many small weights. Both compute the same, up to rounding. Gradients of rows are left to
    Keras, which squares those of a row one by one, where a dense gradient is the square of their
    sum: rows that a batch has often take longer steps, and all of trecs was measured with these. Of
    `amsgrad` the kernel knows nothing.
    """

    def update_step(self, gradient: Any, variable: tf.Variable, learning_rate: Any) -> None:
        """One variable's step.

        Args:
          gradient: Tensor or IndexedSlices, of the variable's shape.
          variable: the weight, of the replica that is updated.
          learning_rate: scalar.
        """
        if isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        dtype = variable.dtype
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=tf.cast(learning_rate, dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=tf.cast(gradient, dtype),
        )
