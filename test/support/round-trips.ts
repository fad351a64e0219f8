import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CountingRelay {
  /** The database's, by way of the relay. */
  readonly url: string;
  /** How often the database was spoken to since the last time: what was sent before it answered is one. */
  count(): number;
  close(): Promise<void>;
}

/** Stands between one connection and its database, and counts the round trips. */
export async function startCountingRelay(databaseUrl: string): Promise<CountingRelay> {
  const { hostname, port } = new URL(databaseUrl);
  const sockets: Socket[] = [];
  let roundTrips = 0;
  const server = createServer((client) => {
    const database = connect(Number(port), hostname);
    sockets.push(client, database);
    let isAnswered = true;
    client.on('data', (chunk) => {
      if (isAnswered) roundTrips++;
      isAnswered = false;
      database.write(chunk);
    });
    database.on('data', (chunk) => {
      isAnswered = true;
      client.write(chunk);
    });
    for (const [one, other] of [
      [client, database],
      [database, client],
    ] as const)
      one.on('error', () => {}).on('close', () => other.destroy());
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
