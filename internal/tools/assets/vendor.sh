#!/bin/sh
# Copies the pinned files of npm into the portal, with their licences. Run by `make assets` after npm ci.
set -eu
cd "$(dirname "$0")"
to=../../../server/portal/assets/vendor
from=node_modules
mkdir -p "$to"
cp "$from/htmx.org/dist/htmx.min.js" "$to/htmx.min.js"
cp "$from/htmx.org/LICENSE" "$to/htmx.LICENSE"
cp "$from/@picocss/pico/css/pico.min.css" "$to/pico.min.css"
cp "$from/@picocss/pico/LICENSE.md" "$to/pico.LICENSE"
cp "$from/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2" "$to/inter.woff2"
cp "$from/@fontsource-variable/inter/LICENSE" "$to/inter.LICENSE"
