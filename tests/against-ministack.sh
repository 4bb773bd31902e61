#!/usr/bin/env bash
# Runs the store and end-to-end tests against another DynamoDB-compatible server (ministack, from PyPI).
set -euo pipefail
cd "$(dirname "$0")/.."
home=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$home"' EXIT
ministack=$(dirname "$(infra/checks/python)")/ministack
BIND_HOST=127.0.0.1 GATEWAY_PORT=4599 SERVICES=dynamodb "$ministack" >"$home/log" 2>&1 &
server=$!
for _ in $(seq 100); do
  if curl -sf http://127.0.0.1:4599/_ministack/health >/dev/null; then break; fi
  kill -0 "$server"
  read -rt 0.2 <> <(:) || true
done
SCRIP_TEST_DYNAMODB_ENDPOINT=http://127.0.0.1:4599 \
  cargo test --locked -p tests --test scrip -- wallet_api payments_api store_behaviour laws::precedence running::events
