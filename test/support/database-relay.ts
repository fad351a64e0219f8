import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface DatabaseRelay {
  /** The database's, by way of the relay. */
  readonly url: string;
  /** How often the database was spoken to since the last time: what was sent before it answered is one. */
  count(): number;
  close(): Promise<void>;
}

export interface RelayOptions {
  /** How long what is sent is on its way, in either direction: as with a network between. */
  readonly delayMs?: number;
}

/** Stands between connections and their database, and counts the round trips. */
export async function startDatabaseRelay(
  databaseUrl: string,
  { delayMs = 0 }: RelayOptions = {},
): Promise<DatabaseRelay> {
  const { hostname, port } = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let roundTrips = 0;
  const server = createServer({ noDelay: true }, (client) => {
    const database = connect({ port: Number(port), host: hostname, noDelay: true });
    let isAnswered = true;
    const [request, answer] = [passTo(database, delayMs), passTo(client, delayMs)];
    client.on('data', (chunk) => {
      if (isAnswered) roundTrips++;
      isAnswered = false;
      request(chunk);
    });
    database.on('data', (chunk) => {
      isAnswered = true;
      answer(chunk);
    });
    for (const [one, other] of [
      [client, database],
      [database, client],
    ] as const) {
      sockets.add(one);
      one
        .on('error', () => {})
        .on('close', () => {
          sockets.delete(one);
          other.destroy();
        });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(databaseUrl);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    count() {
      const counted = roundTrips;
      roundTrips = 0;
      return counted;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** In the order in which it came: timers of one length fire so. */
function passTo(socket: Socket, delayMs: number): (chunk: Buffer) => void {
  if (delayMs === 0) return (chunk) => void socket.write(chunk);
  return (chunk) => void setTimeout(() => socket.destroyed || socket.write(chunk), delayMs);
}
