#!/usr/bin/env bash
# The same text as the secret, and another key, or none: libraries of Standard Webhooks on other forms of base64.
#
# The specification says of a secret that it is base64 with `whsec_` before it, and not which base64: RFC 4648 has two alphabets, and
# padding that some leave out (many secret stores and `base64url` functions write it so). Here each library is given one key of 32 bytes
# in other spellings, signs one message with each, and the signatures are compared with the one of the standard spelling.
#
# Guess, before it ran: JavaScript raises on the other alphabet, and on a missing padding; Python raises on both as well (`binascii.Error`),
# and so do the libraries of Svix, who began the specification.
# Seen: Python raises nothing. `base64.b64decode` passes over letters that are not its alphabet's, so the secret is read as another, shorter
# key, and every signature is wrong without a word; where as many such letters are in it that one is left over of four, it raises. A missing
# padding is put in again by all. So one secret signs with one key in JavaScript's reader and another in Python's, or none at all.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm init -y >/dev/null
npm install --silent --no-audit --no-fund standardwebhooks@1.1.1 svix@2.5.0 >/dev/null
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check standardwebhooks==1.1.0 svix==2.9.1 >/dev/null

cat >sign.mjs <<'JS'
import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
const [name, secret] = process.argv.slice(2);
const { Webhook } = require(name);
try {
  console.log(new Webhook(secret).sign('msg_1', new Date(1_700_000_000_000), '{}'));
} catch (error) {
  console.log('raises');
}
JS
cat >sign.py <<'PY'
import importlib, sys
from datetime import datetime, timezone
name, secret = sys.argv[1:]
module = importlib.import_module("standardwebhooks.webhooks" if name == "standardwebhooks" else "svix.webhooks")
try:
    print(module.Webhook(secret).sign("msg_1", datetime.fromtimestamp(1_700_000_000, tz=timezone.utc), "{}"))
except Exception as error:
    print("raises")
PY

# A key as it is drawn: one letter that differs between the alphabets, and a padding.
standard='whsec_C7cXvgDZkqH2sFfJ0yT5+8mWnQxLrEoUaVbGdKtPiYw='
seen=$(
  for library in "node sign.mjs standardwebhooks" "node sign.mjs svix" "venv/bin/python sign.py standardwebhooks" "venv/bin/python sign.py svix"; do
    right=$($library "$standard")
    for form in "other alphabet:$(tr '+/' '-_' <<<"$standard")" "no padding:${standard%=}" "no prefix:${standard#whsec_}"; do
      signature=$($library "${form#*:}")
      case $signature in
        raises) what=raises ;;
        "$right") what='the same signature' ;;
        *) what='another signature, without a word' ;;
      esac
      echo "$library, ${form%%:*}: $what"
    done
  done
)
echo "$seen"

expected='node sign.mjs standardwebhooks, other alphabet: raises
node sign.mjs standardwebhooks, no padding: the same signature
node sign.mjs standardwebhooks, no prefix: the same signature
node sign.mjs svix, other alphabet: raises
node sign.mjs svix, no padding: the same signature
node sign.mjs svix, no prefix: the same signature
venv/bin/python sign.py standardwebhooks, other alphabet: another signature, without a word
venv/bin/python sign.py standardwebhooks, no padding: the same signature
venv/bin/python sign.py standardwebhooks, no prefix: the same signature
venv/bin/python sign.py svix, other alphabet: another signature, without a word
venv/bin/python sign.py svix, no padding: the same signature
venv/bin/python sign.py svix, no prefix: the same signature'
if [ "$seen" != "$expected" ]; then
  echo 'Not as it was seen first' >&2
  exit 1
fi
