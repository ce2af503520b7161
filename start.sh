#!/bin/sh
# Starts the system with Docker Compose; the first time it makes the secrets and .env, and builds the image.
#   ./start.sh [simulate] [monitoring]    start, with these profiles
#   ./start.sh secrets                    only make what is missing of .secrets and .env
# A secret that is there is never replaced.
set -eu
cd "$(dirname "$0")"
umask 077

say() {
    printf 'start: %s\n' "$*" >&2
}

random() { # N: that many random bytes in hexadecimal
    od -An -v -tx1 -N"$1" /dev/urandom | tr -d ' \n'
}

keep() { # NAME VALUE: whole or not at all, and only if there is none
    [ -e "$folder/$1" ] && return 0
    printf '%s' "$2" >"$folder/.$1"
    chmod 0444 "$folder/.$1" # containers read it as users of their own; the folder lets nobody else of this machine in
    mv "$folder/.$1" "$folder/$1"
    say "made $folder/$1"
}

[ -e .env ] || cp .env.example .env
folder=$(sed -n 's/^SECRETS=//p' .env | tail -n 1)
if [ -z "$folder" ]; then
    say ".env does not say where the secrets are: add the line SECRETS=./.secrets, as .env.example has it"
    exit 1
fi
mkdir -p "$folder"
chmod 0700 "$folder"
for name in postgres owner worker board api mlflow grafana; do
    keep "${name}_password" "$(random 24)"
done
for name in operator board; do # in the form of `tripcast keys create`
    keep "${name}_key" "tc_$(random 6)_$(random 32)"
done
for name in slack_url smtp_password; do # of somebody else: empty until you fill them in
    keep "$name" ''
done
[ "${1:-}" != secrets ] || exit 0

if ! docker compose version >/dev/null 2>&1; then
    say "Docker with its compose plugin is not here; without Docker, 'make run' starts the same system"
    exit 1
fi
profiles=
for profile in "$@"; do
    profiles="$profiles --profile $profile"
done
if grep -q '^IMAGE=.' .env; then
    docker compose pull --quiet prepare
else
    docker compose build prepare
fi
# shellcheck disable=SC2086 # words on purpose
docker compose $profiles up --detach --remove-orphans
say "the board: http://$(docker compose port board 8050)   the API: http://$(docker compose port api 8000)/docs"
say "the operator's key of the API is in $folder/operator_key"
