#!/bin/bash
# SPDX-License-Identifier: MIT
# Puts a row into a table of docs/machines.md, in place of the row whose first cell is the same, and
# says when that was and of which commit: a long run names the one that it began with.
#
#   harness/machines/record.sh TABLE ROW [COMMIT]     TABLE is the word after "<!-- table: "
set -euo pipefail
cd "$(dirname "$0")/../.."
page=${PAGE:-docs/machines.md}
commit=${3:-$(git rev-parse --short HEAD 2>/dev/null || echo unknown)}
row="${2% |} | $(date -u +%Y-%m-%d), $commit |"
grep -qF "<!-- table: $1 -->" "$page" || {
	echo "record: $page has no table '$1'" >&2
	exit 2
}
# Beside the page, so that it takes the page's place at once: a full disk leaves the old one.
new=$(mktemp "$page.XXXXXX")
trap 'rm -f "$new"' EXIT
# The row goes where its predecessor was, else to the table's end.
row=$row awk -v table="<!-- table: $1 -->" '
	function put() { if (!done) print ENVIRON["row"]; done = 1 }
	BEGIN { split(ENVIRON["row"], cells, " *[|] *") }
	$0 == table { inside = 1; print; next }
	inside && /^[|]/ { began = 1; split($0, old, " *[|] *"); if (old[2] == cells[2]) put(); else print; next }
	inside && began { put(); inside = 0 }
	{ print }
	END { if (inside) put() }' "$page" >"$new"
chmod --reference="$page" "$new"
mv "$new" "$page"
