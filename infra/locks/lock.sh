#!/usr/bin/env bash
# Pins what pyproject.toml asks for: requirements.lock, per extra what it adds to it, and what of it serving needs.
# The pins in force are kept wherever they still fit; pass `--upgrade` to let them move.
set -euo pipefail
cd "$(dirname "$0")/../.."
export UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
keep=()
[ "${1:-}" = "--upgrade" ] || keep=(-c requirements.lock -c infra/locks/dev.lock)

# A local build of torch (+cpu) is as good as the registry's: the lock names the release alone.
pin() { .venv/bin/uv pip compile pyproject.toml "${keep[@]}" --quiet --no-annotate --no-header "$@" | sed 's/+cpu$//'; }

pin > "$folder/base"
for extra in dev gpu openvino ray s3; do
    pin --extra "$extra" | grep -vxFf "$folder/base" > "$folder/$extra"
    { echo "# What the extra '$extra' adds to requirements.lock. Made by \`make lock\`."; cat "$folder/$extra"; } > "infra/locks/$extra.lock"
done
{ echo "# Everything a run needs, pinned. Made by \`make lock\`; installed by \`make setup\`."; cat "$folder/base"; } > requirements.lock

# The versions that results depend on, as DVC sees them.
while IFS='=' read -r name _ version; do
    sed -i.before "s/^${name}: .*/${name}: \"${version}\"/" libraries.yaml
done < <(grep -v '^#' requirements.lock | sed 's/ ;.*//')
rm -f libraries.yaml.before

serving() { .venv/bin/uv pip compile infra/locks/serve.in -c requirements.lock --quiet --no-annotate --no-header; }
{ echo "# What a machine needs that only serves, pinned as in requirements.lock. Made by \`make lock\`."; serving; } > infra/locks/serve.lock
