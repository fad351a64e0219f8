import { expect, it } from 'vitest';
import { nearest } from '../../../functions/api/nearest.ts';

const names = ['extract', 'transform', 'load', 'loads', 'a'];

it.each([
  ['extrat', 'extract'],
  ['xetract', 'extract'],
  ['EXTRACT', 'extract'],
  ['transformer', 'transform'],
  ['lead', 'load'],
  ['loadss', 'loads'],
  ['publish', null],
  ['b', null],
  ['', null],
  ['transformations', null],
])('for %j it is %j', (given, meant) => {
  expect(nearest(given, names)).toBe(meant);
});

it('is found among thousands of long names without much time', () => {
  const common = 'x'.repeat(124);
  const many = Array.from({ length: 5_000 }, (_, i) => `${common}${String(i).padStart(4, '0')}`);
  expect(nearest(`${common}123`, many)).toBe(`${common}0123`);
});
