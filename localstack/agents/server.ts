import type { AddressInfo } from 'node:net';
import { createAgentServer } from './agent-server.ts';

/**
 * The demo agents as a process of their own. `AGENTS_PORT` (a free one by default) and `AGENTS_SECRET` (none by default) set
 * it up; a parent with an IPC channel is told `{ port }` when they answer. Ends when that parent does.
 */
const { AGENTS_PORT, AGENTS_SECRET } = process.env;

const server = createAgentServer({ secret: AGENTS_SECRET || undefined });
server.on('error', (error) => {
  console.error(`The demo agents cannot listen: ${error.message}`);
  process.exit(1);
});
server.listen(Number(AGENTS_PORT || 0), '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on('disconnect', () => process.exit());
process.on('SIGTERM', () => process.exit());
// Ctrl-C goes to the whole group; the launcher decides the order of the end.
if (process.send) process.on('SIGINT', () => {});
