import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { createRouter } from '../../../functions/api/http/router.ts';
import { allRoutes } from '../../../functions/api/routes/all-routes.ts';
import { recordTick } from '../../../shared/persistence/timekeeper-tick.ts';
import { addSlowAgent, makeApiThings } from '../../support/api-things.ts';
import { makeApiKey } from '../../support/make-api-key.ts';
import { readmeCurls } from '../../support/readme-commands.ts';
import { type RunStack, startRunStack } from '../../support/run-stack.ts';
import { JWT_SECRET } from '../../support/run-world.ts';

/*
 * The README's curl commands, run by a shell as they are written. The README's convention: `$API` and `$KEY` are the stack's,
 * `$TOKEN` is a JWT, ids are those of earlier answers. Each block's are about things of its own, in the block's order.
 */

const run = promisify(execFile);
const match = createRouter(allRoutes);
const blocks = readmeCurls();
const called = new Set<string>();

let stack: RunStack;
let curlHome: string;
let key: string;
let token: string;

beforeAll(async () => {
  stack = await startRunStack({ databaseUrl: inject('databaseUrl'), kafkaBrokers: inject('kafkaBrokers') });
  await addSlowAgent(stack);
  // As the quick start's: an admin's.
  key = await makeApiKey(stack.database, 'ann', { roles: ['admin'] });
  // Deep health looks for a timekeeper, whose looks the stack takes by itself.
  await recordTick(stack.database);
  token = await new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('ann')
    .setExpirationTime('1h')
    .sign(new TextEncoder().encode(JWT_SECRET));
  // What the commands do not say, curl reads here: the status after the body.
  curlHome = await mkdtemp(join(tmpdir(), 'stepline-curl-'));
  await writeFile(join(curlHome, '.curlrc'), 'write-out = "\\n%{http_code}"\n');
});
afterAll(async () => {
  await stack?.close();
  await rm(curlHome, { recursive: true, force: true });
});

async function variables(): Promise<Record<string, string>> {
  const my = await makeApiThings(stack);
  return {
    API: stack.url,
    KEY: key,
    TOKEN: token,
    WORKFLOW_ID: my.workflowId,
    RUN_ID: my.runId,
    EXECUTION_ID: my.executionId,
    OTHER_EXECUTION_ID: my.endedExecutionId,
    PERMISSION_ID: my.permissionId,
    AGENT: my.agentName,
    API_KEY_ID: my.apiKeyId,
    CALLBACK_URL: my.callbackUrl,
  };
}

/** The operation that a command is of. */
function operationOf(command: string, given: Readonly<Record<string, string>>): string {
  const filled = command.replace(/\$(\w+)/g, (_, name: string) => {
    const value = given[name];
    if (value === undefined) throw new Error(`$${name} is not of the README's convention`);
    return value;
  });
  const url = new URL(/https?:\/\/[^\s"'\\]+/.exec(filled)?.[0] ?? '');
  const method = / -X (\w+)/.exec(filled)?.[1] ?? (/ -d /.test(filled) ? 'POST' : 'GET');
  const matched = match(method, url.pathname);
  if (matched.kind !== 'route') throw new Error(`${method} ${url.pathname}: ${matched.kind}`);
  return matched.route.operationId;
}

it.each(blocks.map(({ heading, commands }, place) => [`${place + 1}, ${heading}`, commands] as const))(
  'block %s',
  async (_, commands) => {
    const given = await variables();
    for (const command of commands) {
      const env = { PATH: process.env.PATH ?? '', CURL_HOME: curlHome, ...given };
      const { stdout } = await run('bash', ['-euc', command], { env, timeout: 120_000 });
      const status = Number(stdout.split('\n').at(-1));
      expect([status >= 200 && status < 300, command, stdout]).toEqual([true, command, stdout]);
      called.add(operationOf(command, given));
    }
  },
);

it('every endpoint has one', () => {
  expect([...called].sort()).toEqual(allRoutes.map(({ operationId }) => operationId).sort());
});
