import { beforeEach, describe, expect, it } from 'vitest';
import type { Agent } from '../../../shared/agents/agent.ts';
import type { RegistryLookup } from '../../../shared/agents/agent-registry.ts';
import { RegistryMemory } from '../../../shared/agents/registry-memory.ts';

const agentOf = (name: string, address = 'agent.x'): Agent => ({
  name,
  kind: 'kafka',
  address,
  timeoutSeconds: null,
  owner: null,
  secrets: [],
});
const found = (name: string, address?: string): RegistryLookup => ({
  status: 'found',
  agent: agentOf(name, address),
});
const UNAVAILABLE: RegistryLookup = { status: 'unavailable', message: 'It hangs' };

let now: number;
let asked: string[];
let answers: ((answer: RegistryLookup) => void)[];
let memory: RegistryMemory;
beforeEach(() => {
  now = 1_000_000;
  asked = [];
  answers = [];
  memory = new RegistryMemory({
    ask: (name) => {
      asked.push(name);
      return new Promise((resolve) => answers.push(resolve));
    },
    clock: () => now,
  });
});

/** Whoever asked last has this answer after so long. */
async function answerAfter(ms: number, answer: RegistryLookup): Promise<void> {
  now += ms;
  answers.pop()!(answer);
  await new Promise(setImmediate);
}

/** Whether it has ended by itself, before any timer could. */
async function hasEnded(work: Promise<unknown>): Promise<boolean> {
  let ended = false;
  void work.then(() => (ended = true));
  await new Promise(setImmediate);
  return ended;
}

const HOUR_MS = 3_600_000;

describe('a registry that hangs', () => {
  it('is waited for by those who ask first, and by nobody else while it is silent', async () => {
    const first = memory.lookUp(['x'], 50);
    expect(await hasEnded(first)).toBe(false);
    now += 100;
    expect(await hasEnded(memory.lookUp(['x'], 50))).toBe(true);
    expect(await hasEnded(memory.lookUp(['y'], 50))).toBe(true);
    await first;
    expect(asked).toEqual(['x', 'y']);
    expect(memory.known('x')).toBeUndefined();
  });

  it('is not waited for after that, until it has answered in time once', async () => {
    void memory.lookUp(['x'], 50);
    await answerAfter(2_000, UNAVAILABLE);
    expect(await hasEnded(memory.lookUp(['y'], 50))).toBe(true);
    await answerAfter(10, found('y'));
    expect(await hasEnded(memory.lookUp(['z'], 50))).toBe(false);
  });

  it('is asked for one agent after a growing pause', async () => {
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      void memory.lookup('x');
      // Quickly: nothing is said of the registry as a whole.
      await answerAfter(1, UNAVAILABLE);
      const answer = await memory.lookup('x');
      pauses.push(answer.status === 'unavailable' ? answer.retryAfterMs! : 0);
      now += pauses[i]!;
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
    expect(asked).toHaveLength(9);
  });

  it('is asked for nobody after three lookups in vain, but for one now and then', async () => {
    for (const name of ['a', 'b', 'c']) {
      void memory.lookup(name);
      await answerAfter(2_000, UNAVAILABLE);
    }
    expect(asked).toEqual(['a', 'b', 'c']);
    expect(await memory.lookup('d')).toEqual({ ...UNAVAILABLE, retryAfterMs: 500 });
    await memory.lookUp(['e', 'f'], 50);
    expect(asked).toEqual(['a', 'b', 'c']);
    now += 500;
    void memory.lookup('d');
    await answerAfter(2_000, UNAVAILABLE);
    expect(asked).toEqual(['a', 'b', 'c', 'd']);
    expect(await memory.lookup('e')).toMatchObject({ retryAfterMs: 1_000 });
    now += 1_000;
    void memory.lookup('e');
    await answerAfter(10, found('e'));
    void memory.lookup('f');
    expect(asked).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  it('is asked for nobody else while several lookups are overdue', async () => {
    for (const name of ['a', 'b', 'c']) void memory.lookup(name);
    now += 1_001;
    expect(await memory.lookup('d')).toMatchObject({ status: 'unavailable', retryAfterMs: 500 });
    expect(asked).toEqual(['a', 'b', 'c']);
  });

  it('for one agent alone is no silence of the registry', async () => {
    for (let i = 0; i < 5; i++) {
      now += HOUR_MS;
      void memory.lookup('bad');
      await answerAfter(2_000, UNAVAILABLE);
      void memory.lookup(`good-${i}`);
      await answerAfter(10, found(`good-${i}`));
    }
    expect(asked).toHaveLength(10);
  });
});

describe('what was found', () => {
  beforeEach(async () => {
    void memory.lookup('x');
    await answerAfter(10, found('x', 'agent.old'));
    now += 60_000;
  });

  it('is asked for again when it is old', async () => {
    expect(memory.known('x')).toBeUndefined();
    void memory.lookUp(['x'], 50);
    await answerAfter(10, found('x', 'agent.new'));
    expect(memory.known('x')).toEqual(agentOf('x', 'agent.new'));
  });

  it('holds while the registry cannot tell, for an hour', async () => {
    void memory.lookUp(['x'], 50);
    expect(memory.known('x')).toEqual(agentOf('x', 'agent.old'));
    await answerAfter(2_000, UNAVAILABLE);
    expect(memory.known('x')).toEqual(agentOf('x', 'agent.old'));
    expect(await memory.lookup('x')).toEqual(found('x', 'agent.old'));
    now += HOUR_MS;
    expect(memory.known('x')).toBeUndefined();
    const last = memory.lookup('x');
    await answerAfter(2_000, UNAVAILABLE);
    expect(await last).toMatchObject(UNAVAILABLE);
  });

  it('is answered at once by a registry that is known to be slow', async () => {
    void memory.lookup('other');
    await answerAfter(2_000, UNAVAILABLE);
    expect(await memory.lookup('x')).toEqual(found('x', 'agent.old'));
    expect(asked).toEqual(['x', 'other', 'x']);
  });

  it('holds no longer when the registry says that there is no such agent', async () => {
    void memory.lookUp(['x'], 50);
    await answerAfter(10, { status: 'unknown' });
    expect(memory.known('x')).toBeNull();
  });
});
