#!/usr/bin/env bash
# RFC 9535 JSONPath: length() of text is "the number of Unicode scalar values in the string" (§2.4.4), and text is compared "by
# Unicode scalar value" (§2.3.5.2.2). So length('😀') is 1, and U+FF5E (～) comes before U+1F600 (😀), whose first UTF-16 unit is
# 0xD83D.
#
# Guess, before it ran: json-p3 of npm counts and compares UTF-16 units (that much was known of its source), and so does
# jsonpath-rfc9535 of npm; jsonpath-rfc9535 and python-jsonpath of PyPI are right in both, for Python's text is code points.
#
# Seen: as guessed, but that npm's jsonpath-rfc9535 is further off: a character beyond U+FFFF counts as nothing at all, so that
# length('😀') is 0 and length('😀b') is 1. The compliance test suite of the RFC has no such character in its tests of length(), so
# that all four pass it. Exits with 1 when any of this changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > npm.log
npm install --silent --no-audit --no-fund json-p3@2.3.1 jsonpath-rfc9535@1.3.0 >> npm.log 2>&1
python3 -m venv venv
venv/bin/pip install --quiet jsonpath-rfc9535==1.0.1 python-jsonpath==2.2.2

cat > queries.json <<'JSON'
[
  ["length of one character", "$[?length(@.a) == 1]", [{ "a": "😀" }]],
  ["length of nothing", "$[?length(@.a) == 0]", [{ "a": "😀" }]],
  ["length of two units", "$[?length(@.a) == 2]", [{ "a": "😀" }]],
  ["order by scalar value", "$[?@.a < @.b]", [{ "a": "～", "b": "😀" }]]
]
JSON
cat > npm.mjs <<'JS'
import { readFileSync } from 'node:fs';
import * as jsonP3 from 'json-p3';
import * as rfc9535 from 'jsonpath-rfc9535';
const libraries = [
  ['npm json-p3 2.3.1', (path, data) => jsonP3.query(path, data).values()],
  ['npm jsonpath-rfc9535 1.3.0', (path, data) => (rfc9535.query ?? rfc9535.default.query)(data, path)],
];
for (const [name, query] of libraries)
  for (const [what, path, data] of JSON.parse(readFileSync('queries.json', 'utf8')))
    console.log(`${name}: ${what}: ${query(path, data).length > 0}`);
JS
cat > pypi.py <<'PY'
import json
import jsonpath
import jsonpath_rfc9535
libraries = [
    ("PyPI jsonpath-rfc9535 1.0.1", lambda path, data: jsonpath_rfc9535.find(path, data).values()),
    ("PyPI python-jsonpath 2.2.2", lambda path, data: jsonpath.findall(path, data)),
]
for name, query in libraries:
    for what, path, data in json.load(open("queries.json", encoding="utf8")):
        print(f"{name}: {what}: {'true' if len(query(path, data)) > 0 else 'false'}")
PY
{ node npm.mjs; venv/bin/python pypi.py; } | tee seen.txt
cat > expected.txt <<'TEXT'
npm json-p3 2.3.1: length of one character: false
npm json-p3 2.3.1: length of nothing: false
npm json-p3 2.3.1: length of two units: true
npm json-p3 2.3.1: order by scalar value: false
npm jsonpath-rfc9535 1.3.0: length of one character: false
npm jsonpath-rfc9535 1.3.0: length of nothing: true
npm jsonpath-rfc9535 1.3.0: length of two units: false
npm jsonpath-rfc9535 1.3.0: order by scalar value: false
PyPI jsonpath-rfc9535 1.0.1: length of one character: true
PyPI jsonpath-rfc9535 1.0.1: length of nothing: false
PyPI jsonpath-rfc9535 1.0.1: length of two units: false
PyPI jsonpath-rfc9535 1.0.1: order by scalar value: true
PyPI python-jsonpath 2.2.2: length of one character: true
PyPI python-jsonpath 2.2.2: length of nothing: false
PyPI python-jsonpath 2.2.2: length of two units: false
PyPI python-jsonpath 2.2.2: order by scalar value: true
TEXT
diff expected.txt seen.txt && echo 'as it was'
