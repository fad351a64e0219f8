/*
 * An execution environment's own process: imports the handler once, then answers one invocation after another.
 * Arguments: the handler's module, the function's name, its memory in MB.
 */
import { flushCompileCache } from 'node:module';
import { pathToFileURL } from 'node:url';
import {
  describeThrown,
  type FunctionError,
  type InvocationContext,
  invocationContext,
} from './invocation.ts';

export interface InvokeMessage {
  type: 'invoke';
  requestId: string;
  deadline: number;
  /** As JSON, which is all that reaches a handler in Lambda too. */
  event: string;
}

export type RuntimeMessage =
  | { type: 'started' }
  | { type: 'start-failed'; error: FunctionError }
  | { type: 'answered'; requestId: string; payload: string }
  | { type: 'threw'; requestId: string; error: FunctionError };

type Handler = (event: unknown, context: InvocationContext) => unknown;

function send(message: RuntimeMessage): void {
  if (process.connected) process.send?.(message);
}

async function importHandler(modulePath: string): Promise<Handler> {
  const { handler } = (await import(pathToFileURL(modulePath).href)) as { handler?: unknown };
  if (typeof handler !== 'function')
    throw new TypeError(`${modulePath} does not export a function named handler`);
  return handler as Handler;
}

async function answer(
  handler: Handler,
  message: InvokeMessage,
  functionName: string,
  memoryMb: number,
): Promise<void> {
  const { requestId } = message;
  try {
    const context = invocationContext(functionName, memoryMb, requestId, message.deadline);
    const payload = await handler(JSON.parse(message.event), context);
    send({ type: 'answered', requestId, payload: JSON.stringify(payload) ?? 'null' });
  } catch (error) {
    send({ type: 'threw', requestId, error: describeThrown(error) });
  }
}

// The launcher is gone, and nobody will ask for anything any more.
process.once('disconnect', () => process.exit(0));

const [modulePath = '', functionName = '', memoryMb = '128'] = process.argv.slice(2);
try {
  const handler = await importHandler(modulePath);
  process.on(
    'message',
    (message: InvokeMessage) => void answer(handler, message, functionName, Number(memoryMb)),
  );
  send({ type: 'started' });
  // By itself it is written at the end of a process, and this one is killed.
  flushCompileCache();
} catch (error) {
  send({ type: 'start-failed', error: describeThrown(error) });
}
