import { type AddressInfo, createServer, type Socket } from 'node:net';

/**
 * Something that answers as a PostgreSQL of that version, as far as to say so: it lets everybody in, and takes each query for the
 * question of its version.
 * @returns its URL, and the queries that it was sent
 */
export async function startOldPostgres(serverVersionNum: number) {
  const queries: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let isIn = false;
    socket.on('error', () => {});
    socket.on('data', (data) => {
      if (!isIn) {
        isIn = true;
        socket.write(Buffer.concat([message('R', int32(0)), message('Z', Buffer.from('I'))]));
        return;
      }
      if (data.toString('latin1', 0, 1) !== 'Q') return;
      queries.push(data.toString('utf8', 5, data.length - 1));
      const text = Buffer.from(String(serverVersionNum));
      const column = Buffer.concat([
        Buffer.from('number\0'),
        int32(0),
        int16(0),
        int32(25),
        int16(-1),
        int32(-1),
        int16(0),
      ]);
      socket.write(
        Buffer.concat([
          message('T', Buffer.concat([int16(1), column])),
          message('D', Buffer.concat([int16(1), int32(text.length), text])),
          message('C', Buffer.from('SELECT 1\0')),
          message('Z', Buffer.from('I')),
        ]),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `postgresql://user:password@127.0.0.1:${(server.address() as AddressInfo).port}/old`,
    queries,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

function message(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
}

function int16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeInt16BE(value);
  return buffer;
}
