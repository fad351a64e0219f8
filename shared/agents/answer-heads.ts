import type { Socket } from 'node:net';

/** An answer that changes the connection's protocol, which no call asks for. */
export class ProtocolSwitchedError extends Error {
  readonly code = 'AGENT_SWITCHED_PROTOCOLS';
}

/** As much as undici reads of a head; of a longer one it says so. */
const MAX_HEAD_BYTES = 16 * 1024;
const END = '\r\n\r\n';
const START = 'HTTP/1.';
const FOLD = /\r\n[ \t]+/g;

/**
 * What HTTP has every client read of an answer's head, and undici's client refuses: informational answers that were not asked for, 100
 * (RFC 9110 §15.2: they may be ignored), and header lines that go on in the next one (RFC 9112 §5.2: a fold is read as blanks). Here
 * the first are taken out and the second joined, and undici's strict parser gets the rest. One request at a time: what comes after
 * `expect` begins with a head.
 */
export class AnswerHeads {
  #expected = false;
  #held: Buffer = Buffer.alloc(0);

  /** A request was sent. */
  expect(): void {
    this.#expected = true;
  }

  /**
   * @returns what to go on with; null where nothing can be said yet
   * @throws ProtocolSwitchedError
   */
  take(chunk: Buffer): Buffer | null {
    if (!this.#expected) return chunk;
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    while (rest.length > 0) {
      const end = isHead(rest) ? rest.indexOf(END) : 0;
      if (end > 0 && isInformational(rest)) {
        rest = rest.subarray(end + END.length);
      } else if (end >= 0 || rest.length > MAX_HEAD_BYTES) {
        this.#expected = false;
        return end > 0 ? unfolded(rest, end) : rest;
      } else {
        this.#held = rest;
        return null;
      }
    }
    return null;
  }
}

/** Reads the socket's answers so. undici writes whole requests, and reads by `read`. */
export function readHeadsOf(socket: Socket): void {
  const heads = new AnswerHeads();
  const write = socket.write;
  const read = socket.read;
  socket.write = function (this: Socket, ...args: Parameters<typeof write>) {
    heads.expect();
    return write.apply(this, args);
  } as typeof write;
  socket.read = (size) => {
    for (;;) {
      const chunk = read.call(socket, size) as Buffer | null;
      if (chunk === null) return null;
      try {
        const taken = heads.take(chunk);
        if (taken !== null) return taken;
      } catch (error) {
        socket.destroy(error as Error);
        return null;
      }
    }
  };
}

/** What is none is for the parser to refuse, at once. */
function isHead(bytes: Buffer): boolean {
  const start = bytes.toString('latin1', 0, START.length);
  const line = bytes.indexOf('\n');
  return START.startsWith(start) && (line < 0 || bytes[line - 1] === 0x0d);
}

/** @throws ProtocolSwitchedError */
function isInformational(head: Buffer): boolean {
  const status = head.toString('latin1', 9, 12);
  if (status === '101') throw new ProtocolSwitchedError('The agent answered 101, which no call asks for');
  return /^1\d\d$/.test(status);
}

function unfolded(answer: Buffer, end: number): Buffer {
  if (!answer.subarray(0, end).includes('\r\n ') && !answer.subarray(0, end).includes('\r\n\t'))
    return answer;
  const head = answer.toString('latin1', 0, end).replace(FOLD, ' ');
  return Buffer.concat([Buffer.from(head, 'latin1'), answer.subarray(end)]);
}
