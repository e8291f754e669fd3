"""Pages for people: audits and reports as self-contained HTML and as Markdown. No TensorFlow."""
