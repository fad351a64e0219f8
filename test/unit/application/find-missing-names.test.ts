import { describe, expect, it } from 'vitest';
import {
  createFindMissingNames,
  type MissingNamesDeps,
  type NameQueries,
} from '../../../shared/application/find-missing-names.ts';
import { agent, parsed, pass, workflow } from '../definition/definitions.ts';

const owner = { userId: 'ann', isAdmin: false, communities: [] };
const definition = parsed(
  workflow({
    a: agent({ agent_name: 'echoo', next_step: 'b' }),
    b: agent({ agent_name: 'remote', next_step: 'c' }),
    c: { type: 'workflow', workflow_name: 'biling' },
  }),
);
const request = { owner: 'ann', definition, patienceMs: 50 };

function world(given: Partial<MissingNamesDeps> = {}, registered: Partial<Record<string, string[]>> = {}) {
  const asked: string[] = [];
  const errors: unknown[] = [];
  let now = 1_000;
  const names: NameQueries = {
    async findMissing(of, { agents, workflows }) {
      asked.push(`missing of ${of}`);
      const has = registered[of] ?? [];
      return {
        agents: agents.filter((name) => !has.includes(name)),
        workflows: workflows.filter((name) => !has.includes(name)),
      };
    },
    async listNames(of) {
      asked.push(`names of ${of ?? 'everybody'}`);
      return { agents: of === null ? ['echos'] : ['echo'], workflows: of === null ? [] : ['billing'] };
    },
  };
  const find = createFindMissingNames({
    names,
    registry: null,
    clock: { now: () => now },
    sleep: () => Promise.resolve(),
    onError: (error) => void errors.push(error),
    ...given,
  });
  const goOn = (ms: number) => {
    now += ms;
  };
  return { find, asked, errors, goOn };
}

const never = new Promise<never>(() => {});
const pathsOf = (warnings: readonly { readonly path: string }[]) => warnings.map(({ path }) => path);

describe('names that a definition has and nobody else', () => {
  it('are told with the nearest that the owner may use', async () => {
    const { find } = world();
    expect((await find(owner, request)).map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'steps.a.agent_name: there is no agent "echoo" that the workflow\'s owner may use, did you mean "echo"?',
      'steps.b.agent_name: there is no agent "remote" that the workflow\'s owner may use',
      'steps.c.workflow_name: the workflow\'s owner has no workflow "biling", did you mean "billing"?',
    ]);
  });

  it('to another user the owner’s own are no hint; to an admin they are', async () => {
    const { find, asked } = world();
    const [told] = await find({ ...owner, userId: 'bob' }, request);
    expect(told?.message).toContain('did you mean "echos"?');
    const [toldAdmin] = await find({ ...owner, userId: 'root', isAdmin: true }, request);
    expect(toldAdmin?.message).toContain('did you mean "echo"?');
    expect(asked).toEqual(['missing of ann', 'names of everybody', 'missing of ann', 'names of ann']);
  });

  it('nothing is asked where a definition names nothing', async () => {
    const { find, asked } = world();
    expect(await find(owner, { ...request, definition: parsed(workflow({ a: pass() })) })).toEqual([]);
    expect(asked).toEqual([]);
  });

  it('a stored version that is complete is not looked at again for a minute', async () => {
    const { find, asked, goOn } = world({}, { ann: ['echoo', 'remote', 'biling'] });
    const stored = { ...request, versionId: 'v-1' };
    expect(await find(owner, stored)).toEqual([]);
    goOn(59_999);
    expect(await find(owner, stored)).toEqual([]);
    expect(asked).toEqual(['missing of ann']);
    goOn(1);
    expect(await find(owner, stored)).toEqual([]);
    expect(asked).toHaveLength(2);
    await find(owner, { ...request, versionId: 'v-2' });
    await find(owner, request);
    expect(asked).toHaveLength(4);
  });

  it('one that is not is looked at each time', async () => {
    const { find } = world({}, { ann: ['echoo', 'remote'] });
    for (let i = 0; i < 2; i++)
      expect(pathsOf(await find(owner, { ...request, versionId: 'v-1' }))).toEqual(['steps.c.workflow_name']);
  });

  it('what fails is told to the operator, and nothing to the caller', async () => {
    const failing = new Error('no database');
    const names = { findMissing: () => Promise.reject(failing), listNames: () => Promise.reject(failing) };
    const { find, errors } = world({ names });
    expect(await find(owner, { ...request, versionId: 'v-1' })).toEqual([]);
    expect(errors).toEqual([failing]);
  });
});

describe('an agent registry', () => {
  const registry = (answers: Record<string, 'found' | 'unknown' | 'unavailable' | 'never'>) => {
    const asked: string[] = [];
    return {
      asked,
      async lookup(name: string) {
        asked.push(name);
        const status = answers[name] ?? 'unknown';
        return status === 'never' ? never : { status };
      },
    };
  };
  const ofAgents = { ...request, definition: parsed(workflow({ a: agent({ agent_name: 'remote' }) })) };

  it.each([
    ['found', []],
    ['unknown', ['steps.a.agent_name']],
    ['unavailable', []],
    ['never', []],
  ] as const)('that says %s of an agent that is not registered here: %j', async (status, expected) => {
    const { find } = world({
      registry: registry({ remote: status }),
      sleep: () => new Promise(setImmediate),
    });
    expect(pathsOf(await find(owner, ofAgents))).toEqual(expected);
  });

  it('what it has said by the end of patience is told, and what it has not is not', async () => {
    const slept: number[] = [];
    const sleep = (ms: number) => {
      slept.push(ms);
      return new Promise(setImmediate);
    };
    const { find } = world({ registry: registry({ echoo: 'unknown', remote: 'never' }), sleep });
    expect(pathsOf(await find(owner, { ...request, patienceMs: 0 }))).toEqual([
      'steps.a.agent_name',
      'steps.c.workflow_name',
    ]);
    expect(slept).toEqual([0]);
  });

  it('is asked only for what is not registered here, and for few names of many', async () => {
    const steps = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [
        i === 0 ? 'a' : `s${i}`,
        agent({ agent_name: `n${i}`, ...(i < 99 && { next_step: `s${i + 1}` }) }),
      ]),
    );
    const one = registry({});
    const { find } = world({ registry: one, sleep: () => never }, { ann: ['n0', 'n1'] });
    const warnings = await find(owner, { ...request, definition: parsed(workflow(steps)) });
    expect(one.asked).toEqual(Array.from({ length: 20 }, (_, i) => `n${i + 2}`));
    expect(warnings).toHaveLength(20);
  });
});
