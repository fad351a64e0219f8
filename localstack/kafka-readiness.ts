import { connect } from 'node:net';

// Size 19, api key 18 (ApiVersions), version 0, correlation id 1, client id "readiness".
const request = Buffer.from([0, 0, 0, 19, 0, 18, 0, 0, 0, 0, 0, 1, 0, 9, ...Buffer.from('readiness')]);

/** Whether a broker speaks Kafka on this port: an open port alone comes well before that. */
export function answersApiVersions(port: number, timeoutMs = 1_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const settle = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(timeoutMs, () => settle(false));
    socket.once('connect', () => socket.write(request));
    socket.once('data', () => settle(true));
    socket.once('close', () => resolve(false));
    socket.once('error', () => settle(false));
  });
}
