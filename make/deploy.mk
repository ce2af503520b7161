# Kubernetes and AWS.
