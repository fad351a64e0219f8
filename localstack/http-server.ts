import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { claimPort } from './free-ports.ts';

export interface RunningServer {
  url: string;
  port: number;
  stop(): Promise<void>;
}

export interface ServerOptions {
  port: number | undefined;
  /** 127.0.0.1 unless said otherwise: in a container others must reach it. */
  host?: string | undefined;
  wantedBy: string;
  remedies: readonly string[];
  /** Of the whole server; requests on open connections are let go when it stops. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

/** An HTTP server on the port asked for, or a free one. */
export async function startServer({
  port: asked,
  host = '127.0.0.1',
  wantedBy,
  remedies,
  handle,
}: ServerOptions): Promise<RunningServer> {
  if (asked !== undefined) await claimPort(asked, wantedBy, remedies);
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      // The client went away in the middle, or we are at fault; either way this connection is of no more use.
      if (!response.headersSent) response.writeHead(500, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ message: error instanceof Error ? error.message : String(error) }));
    });
  });
  const port = await listen(server, asked ?? 0, host);
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    stop: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** @returns the port that it listens on, of the system's choice where none is given */
function listen(server: Server, asked: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port: asked, host }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : asked);
    });
  });
}
