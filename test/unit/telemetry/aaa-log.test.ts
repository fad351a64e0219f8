import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { version } from '../../../shared/config/version.ts';
import { type AaaEvent, createJsonAaaLog, createTextAaaLog } from '../../../shared/telemetry/aaa-log.ts';

const executed: AaaEvent = {
  type: 'AUDIT',
  level: 'INFO',
  community: 123,
  user: '456',
  action: 'execute_workflow',
  result: 'SUCCESS',
};

function linesOf(events: readonly AaaEvent[], level = 'INFO') {
  const lines: string[] = [];
  const now = () => new Date('2025-12-09T12:00:00.123Z');
  const log = createTextAaaLog({
    module: 'workflow_core_module',
    level,
    now,
    write: (line) => lines.push(line),
  });
  for (const event of events) log.write(event);
  return lines;
}

describe('the AAA log as text', () => {
  it('is the documented line', () => {
    expect(linesOf([executed])).toEqual([
      `[2025-12-09T12:00:00Z] INFO workflow_core_module:${version} AUDIT community=123 user=456 action=execute_workflow result=SUCCESS`,
    ]);
  });

  it('has a dash for what is not there', () => {
    const [line] = linesOf([{ ...executed, type: 'AUTH', level: 'WARN', community: null, user: null }]);
    expect(line).toContain(' WARN ');
    expect(line).toContain(' AUTH community=- user=- action=execute_workflow ');
  });

  it.each([
    ['a\n[2025-12-09T12:00:00Z] INFO x:1 AUDIT', 'a%0A%5B2025-12-09T12:00:00Z%5D%20INFO%20x:1%20AUDIT'],
    ['a\r\u2028\u0085b', 'a%0D%E2%80%A8%C2%85b'],
    ['ann result=SUCCESS', 'ann%20result%3DSUCCESS'],
    ['\u001b[31mred', '%1B%5B31mred'],
    ['100%', '100%25'],
    ['jörg@example.com', 'jörg@example.com'],
    ['\ud800x', '%EF%BF%BDx'],
    ['', '-'],
    ['x'.repeat(300), 'x'.repeat(255)],
  ])('keeps each field one word: %j', (user, shown) => {
    const [line] = linesOf([{ ...executed, user }]);
    expect(line).toContain(` user=${shown} action=`);
    expect(line).toMatch(/^\[\S+\] INFO \S+ AUDIT community=\S+ user=\S+ action=\S+ result=\S+$/);
  });

  it('is silent below the level', () => {
    expect(linesOf([executed, { ...executed, level: 'WARN' }], 'WARN')).toHaveLength(1);
    expect(linesOf([{ ...executed, level: 'ERROR' }], 'SILENT')).toEqual([]);
  });
});

it('the AAA log as JSON has the same fields', () => {
  const logged: unknown[] = [];
  const at =
    (level: string) =>
    (message: unknown, ...fields: unknown[]) =>
      void logged.push([level, message, ...fields]);
  const logger = { info: at('info'), warn: at('warn'), error: at('error') };
  const log = createJsonAaaLog('stepline_api', logger);
  log.write(executed);
  log.write({ ...executed, type: 'AUTHZ', level: 'WARN', result: 'DENIED' });
  const fields = { module: 'stepline_api', version, community: 123, user: '456', action: 'execute_workflow' };
  expect(logged).toEqual([
    ['info', 'AUDIT execute_workflow SUCCESS', { ...fields, event_type: 'AUDIT', result: 'SUCCESS' }],
    ['warn', 'AUTHZ execute_workflow DENIED', { ...fields, event_type: 'AUTHZ', result: 'DENIED' }],
  ]);
});

it('the version is that of package.json', async () => {
  const text = await readFile(new URL('../../../package.json', import.meta.url), 'utf8');
  expect(JSON.parse(text).version).toBe(version);
});
