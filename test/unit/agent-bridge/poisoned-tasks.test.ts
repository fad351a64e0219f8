import { describe, expect, it } from 'vitest';
import { createAgentBridge } from '../../../shared/agent-bridge/agent-bridge.ts';
import { handOver } from '../../../shared/agent-bridge/hand-over.ts';
import { failure } from '../../support/memory-tables.ts';
import { eventOf, FakePorts, plenty } from './fake-ports.ts';

/* One bad task among good ones: its attempt fails, theirs are carried out, and the batch does not come again. */

const settled = (ports: FakePorts) =>
  ports
    .messages('results.topic')
    .map(({ step_execution_id: id, status, error }) => [id, status, (error as { code?: string })?.code])
    .sort();
const allBut = (bad: string, code = 'INTERNAL_ERROR') =>
  ['a', 'b', 'c'].map((id) => (id === bad ? [id, 'failed', code] : [id, 'completed', undefined]));
const handle = (ports: FakePorts) =>
  createAgentBridge(ports).handleRecords(eventOf(...['a', 'b', 'c'].map((id) => ports.task(id))), plenty);

describe('a task', () => {
  it('whose row cannot be read', async () => {
    const ports = new FakePorts();
    const load = ports.loadCalls;
    const broken = Object.assign(ports, {
      loadCalls: async (ids: readonly string[]) => {
        if (ids.includes('b')) throw failure('VALUE_REFUSED');
        return load(ids);
      },
    });
    await handle(broken);
    expect(settled(ports)).toEqual(allBut('b'));
  });

  it('whose agent cannot be made out', async () => {
    const ports = new FakePorts();
    const tasks = ['a', 'b', 'c'].map((id) => ports.task(id));
    ports.attempts.set('b', {
      ...ports.attempts.get('b')!,
      get agent(): never {
        throw new TypeError('no such kind');
      },
    });
    await createAgentBridge(ports).handleRecords(eventOf(...tasks), plenty);
    expect(settled(ports)).toEqual(allBut('b'));
  });

  it('whose registry answers what nobody expects', async () => {
    const ports = new FakePorts();
    const tasks = ['a', 'b', 'c'].map((id) => ports.task(id, id === 'b' ? { agent: null } : {}));
    ports.lookupRegistry = () => Promise.reject(new RangeError('too deep'));
    await createAgentBridge(ports).handleRecords(eventOf(...tasks), plenty);
    expect(settled(ports)).toEqual(allBut('b'));
  });

  it('whose call throws', async () => {
    const ports = new FakePorts();
    ports.answer = ({ body }) => {
      if (body.step_execution_id === 'b') throw new URIError('malformed');
      return { status: 'completed', output: null, logs: null };
    };
    await handle(ports);
    expect(settled(ports)).toEqual(allBut('b'));
    expect(ports.warnings).toEqual(['A task met a defect']);
  });

  it('whose answer cannot be written', async () => {
    const ports = new FakePorts();
    const publish = ports.publish;
    const broken = Object.assign(ports, {
      publish: async (records: Parameters<typeof publish>[0]) => {
        const isBad = records.some(({ value }) => value.step_execution_id === 'b' && 'output_data' in value);
        if (isBad) throw new RangeError('too deep');
        return publish(records);
      },
    });
    await handle(broken);
    expect(settled(ports)).toEqual(allBut('b', 'UNSTORABLE'));
  });

  it('whose time cannot be extended keeps the one that it has', async () => {
    const ports = new FakePorts();
    ports.answer = () => ({ status: 'accepted' });
    const extend = ports.extendDeadlines;
    const broken = Object.assign(ports, {
      extendDeadlines: async (extensions: Parameters<typeof extend>[0]) => {
        if (extensions.some(({ stepExecutionId }) => stepExecutionId === 'b')) throw failure('VALUE_REFUSED');
        return extend(extensions);
      },
    });
    await handle(broken);
    expect(ports.extended.flat().map(({ stepExecutionId }) => stepExecutionId)).toEqual(['a', 'c']);
    expect(settled(ports)).toEqual([]);
  });

  it('whose wake cannot be brought forward is called here, and the others are handed on', async () => {
    const handed: unknown[] = [];
    const tasks = ['a', 'b', 'c'].map((id) => ({ task: new FakePorts().task(id), timeoutMs: 90_000 }));
    const kept = await handOver(tasks, {
      extendDeadlines: async (extensions) => {
        if (extensions.some(({ stepExecutionId }) => stepExecutionId === 'b')) throw failure('VALUE_REFUSED');
      },
      invokeSelf: async ({ handed_tasks: some }) =>
        void handed.push(...some.map((task) => task.step_execution_id)),
      warn: () => {},
    });
    expect(handed).toEqual(['a', 'c']);
    expect(kept.map(({ task }) => task.step_execution_id)).toEqual(['b']);
  });
});

it.each(['DATABASE_UNAVAILABLE', 'STATEMENT_TIMEOUT'])(
  '%s brings the batch again: nothing is given up',
  async (code) => {
    const ports = new FakePorts();
    Object.assign(ports, { loadCalls: () => Promise.reject(failure(code)) });
    await expect(handle(ports)).rejects.toMatchObject({ code });
    expect(ports.published).toEqual([]);
  },
);
