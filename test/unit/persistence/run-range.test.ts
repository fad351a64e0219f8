import { expect, test } from 'vitest';
import { rangeOf } from '../../../shared/persistence/run-range.ts';

test.each([
  ['none', [], [null, null]],
  ['one', ['run-1'], ['run-1', 'run-1']],
  ['several, in whatever order', ['run-2', 'run-10', 'run-1'], ['run-1', 'run-2']],
  // UTF-16 has the second before the first.
  ['what is not ASCII, by its bytes in UTF-8', ['\u{ff5e}', '\u{1f600}'], ['\u{ff5e}', '\u{1f600}']],
])('the range of %s', (_, runIds, range) => {
  expect(rangeOf(runIds)).toEqual(range);
});
