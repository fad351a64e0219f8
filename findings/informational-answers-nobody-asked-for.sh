#!/usr/bin/env bash
# HTTP clients on informational answers that they did not ask for: 100 Continue, and 103 Early Hints.
#
# RFC 9110 §15.2: "A client MUST be able to parse one or more 1xx responses received prior to a final response, even if the client does not
# expect one. A user agent MAY ignore unexpected 1xx responses." A server may send 100 of its own accord (some do as soon as they have a
# request's head, and so do proxies before them). Here a server sends one before its `200 {"done":true}`, whatever it is asked, and each
# client makes one POST.
#
# Guess, before it ran: undici 7 takes 100 for an error, as a report of one says, and 8 no longer; requests and httpx read both; aiohttp too.
# Seen: undici 8 fails as 7 does ("bad response", the connection destroyed), though the server did the work, and though both read past 103.
# requests (urllib3 over Python's http.client, which reads past 100 alone) takes 103 for the answer: no error, an empty body, and the real
# answer is never read. So an agent that sends 100 of its own accord fails every attempt of a caller on undici, and one behind a proxy that
# sends early hints has answered nothing to a caller on requests. axios (node:http), httpx and aiohttp read both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"; kill "$server" 2>/dev/null || true' EXIT
server=
cd "$folder"

npm init -y >/dev/null
npm install --silent --no-audit --no-fund undici7@npm:undici@7.30.2 undici8@npm:undici@8.13.1 axios@1.13.2 node@24.11.1 >/dev/null
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check requests==2.32.5 httpx==0.28.1 aiohttp==3.13.2 >/dev/null

cat >server.py <<'PY'
import socketserver
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.rfile.read(1)
        status = head.split(b" ")[1][1:]
        before = {b"none": b"", b"100": b"HTTP/1.1 100 Continue\r\n\r\n", b"103": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"}[status]
        body = b'{"done":true}'
        self.wfile.write(before + b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        self.rfile.read(2)
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
PY
python3 server.py >port &
server=$!
until [ -s port ]; do sleep 0.1; done
base="http://127.0.0.1:$(cat port)"

cat >post.mjs <<'JS'
const [name, url] = process.argv.slice(2);
const body = '{}';
try {
  if (name === 'axios') {
    const { default: axios } = await import('axios');
    const { status, data } = await axios.post(url, body);
    console.log(status, JSON.stringify(data));
  } else {
    const { request } = await import(name);
    const answer = await request(url, { method: 'POST', body });
    console.log(answer.statusCode, await answer.body.text());
  }
} catch (error) {
  console.log('fails:', error.message);
}
JS
cat >post.py <<'PY'
import asyncio, sys
name, url = sys.argv[1:]
async def with_aiohttp():
    import aiohttp
    async with aiohttp.ClientSession() as session, session.post(url, data="{}") as answer:
        return answer.status, await answer.text()
try:
    if name == "aiohttp":
        status, text = asyncio.run(with_aiohttp())
    else:
        body = {"data": "{}"} if name == "requests" else {"content": "{}"}
        answer = __import__(name).post(url, **body)
        status, text = answer.status_code, answer.text
    print(status, text)
except Exception as error:
    print("fails:", type(error).__name__)
PY

seen=$(
  for before in none 100 103; do
    for client in undici7 undici8 axios; do
      echo "$before, $client: $(node_modules/.bin/node post.mjs $client "$base/$before" 2>&1)"
    done
    for client in requests httpx aiohttp; do
      echo "$before, $client: $(venv/bin/python post.py $client "$base/$before" 2>&1 | tail -1)"
    done
  done
)
echo "$seen"

expected='none, undici7: 200 {"done":true}
none, undici8: 200 {"done":true}
none, axios: 200 {"done":true}
none, requests: 200 {"done":true}
none, httpx: 200 {"done":true}
none, aiohttp: 200 {"done":true}
100, undici7: fails: bad response
100, undici8: fails: bad response
100, axios: 200 {"done":true}
100, requests: 200 {"done":true}
100, httpx: 200 {"done":true}
100, aiohttp: 200 {"done":true}
103, undici7: 200 {"done":true}
103, undici8: 200 {"done":true}
103, axios: 200 {"done":true}
103, requests: 103
103, httpx: 200 {"done":true}
103, aiohttp: 200 {"done":true}'
# Of an empty body a blank is left.
if [ "$(sed 's/ *$//' <<<"$seen")" != "$expected" ]; then
  echo 'Not as it was seen first' >&2
  exit 1
fi
