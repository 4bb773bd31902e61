#!/usr/bin/env bash
# Changes the modules that move money, one place at a time, and checks that a test notices each change.
#
#   tests/mutants.sh          a share of the changes, chosen by the commit, for 12 minutes at most
#   tests/mutants.sh 3/8      this share
#   tests/mutants.sh all      all changes (more than an hour)
#
# First, the laws run against each change: they need only the crate `domain`, so a change takes seconds. Then
# the whole suite runs against those that the laws did not notice. Changes that make no difference are listed
# in tests/mutants-equal.txt. Needs cargo-mutants, which is installed if it is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
modules=(
  ledger/lot ledger/owed ledger/posting ledger/hold ledger/hold_moves wallet/holds wallet/transfer
  payments/process/clawback budget/spend budget/slice budget/allocate giftcard/redemption
)
shares=8
limit=12m
shard=$((16#$(git rev-parse HEAD | cut -c1-7) % shares))/$shares
case "${1:-}" in
  all) shard=0/1 limit=24h ;;
  */*) shard=$1 ;;
esac
# A law that fails has noticed the change; a smaller example of it is not needed.
export PROPTEST_MAX_SHRINK_ITERS=0
command -v cargo-mutants >/dev/null || cargo install --locked cargo-mutants@27.1.0
files=()
for module in "${modules[@]}"; do files+=(--file "shared/domain/src/$module.rs"); done
out=$PWD/target/mutants
laws=target/mutants/laws
rm -rf "$out"
git worktree prune
mkdir -p "$laws/tests/support"

# A workspace of the domain and its laws alone: it is built in seconds.
python3 - "$laws" <<'PY'
import pathlib, re, shutil, sys
laws = pathlib.Path(sys.argv[1])
shutil.copytree("shared/domain", laws / "shared/domain")
manifest = pathlib.Path("Cargo.toml").read_text()
members = 'members = ["shared/domain", "tests"]'
(laws / "Cargo.toml").write_text(re.sub(r"members = \[.*?\]", members, manifest, count=1, flags=re.S))
shutil.copy("Cargo.lock", laws / "Cargo.lock")
support = ["memory", "model", "points", "counter", "proofs"]
for name in support:
    shutil.copy(f"tests/support/{name}.rs", laws / f"tests/support/{name}.rs")
(laws / "tests/support/lib.rs").write_text("".join(f"pub mod {name};\n" for name in support))
shutil.copytree("tests/laws", laws / "tests/laws")
files = {path.stem: path.read_text() for path in pathlib.Path("tests/laws").glob("*.rs")}
alone = lambda text: not re.search(r"\b(edge|store|scrip|futures|tokio)::|tests::(agency|plan|simulation|world)|crate::", text)
names = sorted(name for name, text in files.items() if alone(text))
(laws / "tests/main.rs").write_text("mod laws {\n" + "".join(f"    mod {name};\n" for name in names) + "}\n")
(laws / "tests/Cargo.toml").write_text("""[package]
name = "tests"
version.workspace = true
edition.workspace = true

[lib]
path = "support/lib.rs"
test = false
doctest = false

[[test]]
name = "scrip"
path = "main.rs"

[dependencies]
chrono.workspace = true
domain.workspace = true
proptest.workspace = true
rust_decimal.workspace = true
""")
PY

echo "the laws against share $shard"
(cd "$laws" && timeout "$limit" cargo mutants --in-place --output "$out" --shard "$shard" \
  --package domain --test-package tests --timeout 30 "${files[@]}") || true
equal=$(grep -v '^#' tests/mutants-equal.txt)
grep -vF "$equal" "$out/mutants.out/missed.txt" >"$out/left" || true
if ! grep -q . "$out/left"; then
  echo "every change was noticed by the laws"
  exit 0
fi

echo "the whole suite against $(wc -l <"$out/left") changes that the laws did not notice"
git worktree add --quiet --detach "$out/whole" HEAD
trap 'git worktree remove --force "$out/whole"' EXIT
cd "$out/whole"
# All other changes are given as noticed before: patterns of names do not hold for deleted fields.
mkdir -p "$out/second/mutants.out"
cargo mutants --list --package domain "${files[@]}" | grep -vxFf "$out/left" \
  >"$out/second/mutants.out/previously_caught.txt"
# The suite passes without a change: `.ci/run` has shown that.
CARGO_TARGET_DIR="$out/../whole-suite" timeout "$limit" cargo mutants --in-place --iterate --output "$out/second" \
  --baseline skip --package domain --test-package tests --timeout 600 "${files[@]}" && exit 0
result=$?
case $result in
  3) echo "a test that no longer ends has noticed the change too" ;;
  124) echo "stopped after $limit: the changes above that have no result were not tried" ;;
  *) exit $result ;;
esac
