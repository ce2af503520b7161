#!/usr/bin/env bash
# Prints the Secrets that the roles refer to, with values made up now and kept nowhere:
#   deploy/kubernetes/secrets.sh [NAMESPACE] | kubectl create -f -
# `create`, not `apply`: it refuses to replace what is there, and leaves no copy of the values in an annotation.
# What somebody else has made up comes by environment: ADMIN_PASSWORD (of the database server's administrator), KAFKA_USER and
# KAFKA_PASSWORD (where the broker asks for a login), WEBHOOK (where the trainer tells people).
set -euo pipefail

namespace=${1:-tripcast}

random() { # N: that many random bytes in hexadecimal
    od -An -v -tx1 -N"$1" /dev/urandom | tr -d ' \n'
}

key() { # an API key, in the form of `tripcast keys create`
    echo "tc_$(random 6)_$(random 32)"
}

secret() { # NAME KEY VALUE [KEY VALUE]...
    local name=$1
    shift
    printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: %s\ndata:\n' "$name" "$namespace"
    while [ "$#" -gt 0 ]; do
        printf '  %s: %s\n' "$1" "$(printf '%s' "$2" | base64 | tr -d '\n')"
        shift 2
    done
}

secret tripcast-admin password "${ADMIN_PASSWORD:-$(random 24)}"
secret tripcast-logins owner "$(random 24)" worker "$(random 24)" board "$(random 24)" api "$(random 24)" mlflow "$(random 24)"
secret tripcast-keys operator "$(key)" board "$(key)"
secret tripcast-grafana password "$(random 24)"
[ -z "${KAFKA_USER:-}" ] || secret tripcast-kafka user "$KAFKA_USER" password "${KAFKA_PASSWORD:?}"
[ -z "${WEBHOOK:-}" ] || secret tripcast-webhook webhook "$WEBHOOK"
