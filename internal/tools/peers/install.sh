#!/usr/bin/env bash
# Installs what the tests need beside Go, from Debian's and npm's packages, where it is missing. As root on Debian 12.
set -euo pipefail
cd "$(dirname "$0")/../../.."

# command to look for -> Debian package
peers=(
  openssl:openssl
  cmsutil:libnss3-tools
  gpgsm:gpgsm
  chromium:chromium
  curl:curl
  npm:npm
  javac:default-jdk-headless
)
missing=()
for p in "${peers[@]}"; do
  command -v "${p%%:*}" >/dev/null || missing+=("${p#*:}")
done
compgen -G '/usr/share/java/bcpkix-*.jar' >/dev/null || missing+=(libbcmail-java)
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || missing+=(postgresql)

if [ ${#missing[@]} -gt 0 ]; then
  echo "installing from Debian: ${missing[*]}"
  # a package list that is an hour old is good enough
  [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -mmin -60 2>/dev/null)" ] || apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null
fi

if [ ! -e internal/tools/assets/node_modules/axe-core/axe.min.js ]; then
  echo "installing from npm: axe-core"
  (cd internal/tools/assets && npm ci --silent --no-audit --no-fund)
fi
