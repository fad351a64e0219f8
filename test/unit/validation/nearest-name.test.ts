import { describe, expect, it } from 'vitest';
import { createHints, nearestName } from '../../../shared/validation/nearest-name.ts';
import { cpuMsOf } from '../../support/cpu-time.ts';

const fields = ['name', 'start_step', 'next_step', 'agent_name', 'input_mapping', 'timeout_seconds', 'retry'];

describe('the nearest name', () => {
  it.each([
    ['nextstep', 'next_step'],
    ['next_setp', 'next_step'],
    ['NEXT_STEP', 'next_step'],
    ['retyr', 'retry'],
    ['input_maping', 'input_mapping'],
    ['timeout', 'timeout_seconds'],
    ['agent', 'agent_name'],
    ['nmae', 'name'],
    // Two have this word.
    ['step', null],
    ['in', null],
    ['x', null],
    ['', null],
    ['something_else', null],
  ])('to %s is %s', (given, expected) => {
    expect(nearestName(given, fields)).toBe(expected);
  });

  it('to a megabyte is none', () => {
    expect(nearestName('n'.repeat(1_000_000), fields)).toBeNull();
  });

  it('is the one with the fewest slips', () => {
    expect(nearestName('extrat', ['extracts', 'extract', 'attract'])).toBe('extract');
  });

  it('may hold any character', () => {
    expect(nearestName('Übersciht', ['Übersicht', '__proto__'])).toBe('Übersicht');
  });
});

describe('hints', () => {
  it('stand behind what was expected', () => {
    const hintOf = createHints();
    expect(hintOf('nextstep', fields)).toBe(', did you mean "next_step"?');
    expect(hintOf('nothing like it', fields)).toBe('');
  });

  it('cost no time that could be felt, whoever asks', () => {
    const names = (first: string) => Array.from({ length: 500 }, (_, i) => 'x'.repeat(60) + first + i);
    const hintOf = createHints();
    const ask = () => {
      for (const given of Array.from({ length: 20 }, () => names('a')).flat()) hintOf(given, names('bcde'));
    };
    expect(cpuMsOf(ask)).toBeLessThan(10_000);
    expect(createHints()('nextstep', ['next_step', ...Array.from({ length: 500 }, (_, i) => `${i}`)])).toBe(
      '',
    );
  });
});
