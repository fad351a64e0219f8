import { expect, test } from 'vitest';
import { attemptOf, attemptRow, fillColumns } from '../../../shared/persistence/columns.ts';
import { attempt } from '../../support/engine-states.ts';

test('a list is filled in as names, types, columns of a row and what an update sets', () => {
  expect(fillColumns('({{join types}})')).toMatch(
    /^\(path text, step_id varchar, .*, failure_message text\)$/,
  );
  expect(fillColumns('{{join names}}')).toMatch(/^path, step_id, /);
  expect(fillColumns('{{join of v}}')).toMatch(/^v\.path, v\.step_id, /);
  const set = fillColumns('{{attempt.closed set s}}').split(', ');
  expect(set).toContain('status = v.status');
  expect(set).toContain('wake_at = null');
  expect(fillColumns('{{attempt.closed set s}}')).toContain(
    'input_data = coalesce(s.input_data, v.input_data)',
  );
  expect(fillColumns('{{attempt.closed set s}}')).toContain(
    'child_run_id = coalesce(v.child_run_id, s.child_run_id)',
  );
});

test('what is set to null is not asked for, and what is not loaded is not read', () => {
  expect(fillColumns('{{attempt.closed types}}')).not.toContain('wake_at');
  expect(fillColumns('{{attempt.loaded types}}')).not.toContain('output_data');
});

test('runs and attempts are rows of one result', () => {
  const ofRun = fillColumns('{{either of r as run.loaded}}').split(', ');
  const ofAttempt = fillColumns('{{either of s as attempt.loaded}}').split(', ');
  const types = fillColumns('{{either types}}').split(', ');
  expect([ofRun.length, ofAttempt.length]).toEqual([types.length, types.length]);
  expect(new Set(types).size).toBe(types.length);
  const at = types.indexOf('step_execution_id varchar');
  expect([ofRun[at], ofAttempt[at]]).toEqual(['null::varchar', 's.step_execution_id']);
});

test.each(['{{nothing types}}', '{{join}}', '{{join as}}'])('%s is refused', (text) => {
  expect(() => fillColumns(text)).toThrow(`There are no such columns: ${text}`);
});

test('an attempt comes back as it was written', () => {
  const written = attempt({ stepId: 'a', timeoutMs: 5, dueAt: 1, policyRetries: [1, 2], signalName: 's' });
  const row = attemptRow(written, 'opened');
  const read = attemptOf({
    ...Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        name.endsWith('_at') && value ? new Date(value as string) : value,
      ]),
    ),
    step_execution_id: written.stepExecutionId,
    error_code: null,
  });
  expect(read).toEqual({ ...written, inputData: read.inputData });
});
