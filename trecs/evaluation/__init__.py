"""Full-ranking evaluation: requests, exact ranks, metrics, baselines, report. No TensorFlow."""
