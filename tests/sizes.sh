#!/usr/bin/env bash
# Builds functions in the release profile for this machine, and fails if a zip file of one is larger than 3.5 MiB: a
# function starts by fetching it. Names of functions as arguments; all without one (15 processor minutes).
set -euo pipefail
cd "$(dirname "$0")/.."
LIMIT=$((7 * 512 * 1024))
names=("$@")
if [ ${#names[@]} = 0 ]; then
  for folder in functions/*/; do names+=("$(basename "$folder")"); done
fi
packages=()
for name in "${names[@]}"; do packages+=(-p "$name"); done
cargo build --release --locked "${packages[@]}"
status=0
for name in "${names[@]}"; do
  size=$(gzip -9 -c "${CARGO_TARGET_DIR:-target}/release/$name" | wc -c)
  echo "$name $size"
  if [ "$size" -gt "$LIMIT" ]; then
    echo "the zip file of $name is larger than $LIMIT bytes"
    status=1
  fi
done
exit $status
