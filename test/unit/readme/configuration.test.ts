import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  environmentVariables,
  readEnvironment,
  readMigrateSettings,
} from '../../../shared/config/environment.ts';
import { retention } from '../../../shared/config/retention.ts';
import { secretArnVariables } from '../../../shared/config/secret-variables.ts';

/*
 * The README's table of variables against the schemas that read them: none is missing, none is of the past, and a default that is
 * written there is the one that holds. What only the local stack reads is here by name.
 */
const ofTheLocalStack = ['PORT', 'HOST', 'AWS_ENDPOINT_URL', 'STEPLINE_API_KEY', 'STEPLINE_URL', 'JAVA_HOME'];

const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
const section = readme.slice(readme.indexOf('\n## Configuration'), readme.indexOf('\n## Layout'));

/** By name: what stands in the column of defaults. A row of several variables has as many defaults, or one for all. */
const defaults = new Map(
  [...section.matchAll(/^\| (`[A-Z].*?) *\| (.*?) *\|/gm)].flatMap(([, names = '', text = '']) => {
    const ofEach = text.split(', ');
    const list = names.split(', ').map((name) => name.replaceAll('`', ''));
    return list.map((name, place) => [name, ofEach.length === list.length ? ofEach[place] : text] as const);
  }),
);

test('the table has every variable that is read, and no other', () => {
  const read = [...environmentVariables(), ...secretArnVariables, ...ofTheLocalStack];
  expect([...defaults.keys()].sort()).toEqual([...new Set(read)].sort());
});

const required = {
  DATABASE_URL: 'postgresql://localhost/x',
  KAFKA_BROKERS: 'localhost:9092',
  STEPLINE_SECRET_KEY: Buffer.alloc(32).toString('base64'),
};

/** The value that a deployment has where it says nothing: `` `json` ``, `25000`, or the end of `… locally, else …`. */
function deployedValue(text: string): string | undefined {
  const deployed = text.split(', else ').at(-1) ?? '';
  return /^`([^`]+)`$/.exec(deployed)?.[1] ?? /^\d+$/.exec(deployed)?.[0];
}

const written = [...defaults].flatMap(([name, text = '']) => {
  const value = deployedValue(text);
  const isRead = environmentVariables().includes(name) && !name.endsWith('_RETENTION_DAYS');
  return value !== undefined && isRead ? [[name, value] as const] : [];
});

test.each(written)('%s is %s by default', (name, value) => {
  const read = (variables: Record<string, string>) => ({
    ...readEnvironment({ ...required, ...variables }),
    ...readMigrateSettings(variables),
  });
  expect(read({ [name]: value })).toEqual(read({}));
});

test('the defaults of which there are many are looked at', () => {
  expect(written.length).toBeGreaterThan(12);
  expect(Number(defaults.get('AUDIT_RETENTION_DAYS'))).toBe(retention.auditDays);
  expect(Number(defaults.get('RUN_RETENTION_DAYS'))).toBe(retention.runDays);
});
