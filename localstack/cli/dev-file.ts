import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { LocalStack } from '../local-stack.ts';

/** What runs where, for tools to pick up, for as long as it does. Only the user may read it, since keys are in it. */
export class DevFile {
  readonly path: string;
  #stack: LocalStack | undefined;
  #written = '';
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string) {
    this.path = path;
  }

  async write(stack: LocalStack): Promise<void> {
    this.#stack = stack;
    await this.update();
  }

  /** As it is by now. Before it was written, and after it was removed, this does nothing. */
  update(): Promise<void> {
    this.#writing = this.#writing.catch(() => {}).then(() => this.#writeNow());
    return this.#writing;
  }

  async remove(): Promise<void> {
    if (this.#stack === undefined) return;
    this.#stack = undefined;
    await this.#writing.catch(() => {});
    await rm(this.path, { force: true });
  }

  async #writeNow(): Promise<void> {
    if (this.#stack === undefined) return;
    const text = textOf(this.#stack);
    if (text === this.#written) return;
    await mkdir(dirname(this.path), { recursive: true });
    // Whoever reads it meanwhile finds one or the other, and all of it.
    const unfinished = `${this.path}.new`;
    await writeFile(unfinished, text, { mode: 0o600 });
    await rename(unfinished, this.path);
    this.#written = text;
  }
}

function textOf({ url, secrets, servers, agents, pids }: LocalStack): string {
  const content = {
    url,
    api_key: secrets.apiKey,
    jwt_secret: secrets.jwtSecret,
    database_url: servers.databaseUrl,
    kafka_brokers: servers.kafkaBrokers,
    agents,
    pids: { launcher: process.pid, ...pids() },
  };
  return `${JSON.stringify(content, null, 2)}\n`;
}
