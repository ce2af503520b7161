"""River's drift detectors."""
