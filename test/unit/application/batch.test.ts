import { describe, expect, it } from 'vitest';
import { roundsOf } from '../../../shared/application/batch.ts';
import type { EngineEvent } from '../../../shared/engine/event.ts';

const step: EngineEvent = { type: 'step_requested', stepExecutionId: 'a-1' };
const retry: EngineEvent = { type: 'retry_requested' };
const signal: EngineEvent = { type: 'signal_received', name: 'go', signalId: 's-1', payload: null };

describe('roundsOf', () => {
  it.each<[string, [string, EngineEvent][], number[]]>([
    ['an empty batch', [], []],
    [
      'records of one run',
      [
        ['r', step],
        ['r', step],
      ],
      [2],
    ],
    [
      'a retry that comes first of its run',
      [
        ['q', step],
        ['r', retry],
        ['r', step],
      ],
      [3],
    ],
    [
      'a retry after another record of its run',
      [
        ['q', step],
        ['r', step],
        ['r', retry],
        ['q', step],
      ],
      [2, 2],
    ],
    [
      'a signal after another record of its run',
      [
        ['r', step],
        ['r', signal],
      ],
      [1, 1],
    ],
    [
      'two signals of one run',
      [
        ['r', signal],
        ['r', signal],
      ],
      [1, 1],
    ],
  ])('%s', (_, given, expected) => {
    const items = given.map(([runId, event]) => ({ runId, event }));
    const rounds = roundsOf(items);
    expect(rounds.map(({ length }) => length)).toEqual(expected);
    expect(rounds.flat()).toEqual(items);
  });
});
