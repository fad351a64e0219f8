import { describe, expect, it } from 'vitest';
import type { AgentRegistry, AgentRoute } from '../../../shared/application/ports/agents.ts';
import type {
  Delivery,
  OutboxEntry,
  OutgoingMessage,
  Publishing,
  Settlement,
} from '../../../shared/application/ports/publishing.ts';
import { createPublishCommitted, createPublishEntries } from '../../../shared/application/publish-entries.ts';
import { createRouteTasks } from '../../../shared/application/route-tasks.ts';
import { topicsFor } from '../../../shared/config/topics.ts';

const ACKNOWLEDGED: Delivery = { status: 'acknowledged' };
const REFUSED: Delivery = {
  status: 'refused',
  code: 'UNKNOWN_TOPIC_OR_PARTITION',
  isLasting: true,
  reason: 'Kafka refused: UNKNOWN_TOPIC_OR_PARTITION',
};
const UNSENT: Delivery = { status: 'unsent', reason: 'Kafka was not reached: KafkaJSConnectionError' };
const UNKNOWN: Delivery = { status: 'unknown', reason: 'Kafka did not answer within 1000 ms' };

const messageTo = (topic: string): OutgoingMessage => ({ topic, key: topic, value: { topic } });
const entryOf = (id: string, ...topics: string[]): OutboxEntry => ({ id, messages: topics.map(messageTo) });

/** A broker that does with each topic what `fates` says, and an outbox that tells what it is told. */
function setUp(fates: Record<string, Delivery> = {}, late: Publishing['late'] = null) {
  const sent: string[][] = [];
  const removed: string[] = [];
  const settled: Settlement[] = [];
  const deps = {
    publisher: {
      async send(messages: readonly { topic: string }[]) {
        sent.push(messages.map(({ topic }) => topic));
        return { deliveries: messages.map(({ topic }) => fates[topic] ?? ACKNOWLEDGED), late };
      },
    },
    outbox: {
      remove: async (ids: readonly string[]) => void removed.push(...ids),
      settle: async (settlements: readonly Settlement[]) => void settled.push(...settlements),
    },
  };
  return { deps, sent, removed, settled };
}

describe('publishEntries', () => {
  it('does nothing for nothing', async () => {
    const { deps, sent } = setUp();
    expect(await createPublishEntries(deps)([])).toEqual({ ok: true });
    expect(sent).toEqual([]);
  });

  it('removes what is published, in one statement and none beside', async () => {
    const { deps, removed, settled } = setUp();
    expect(await createPublishEntries(deps)([entryOf('1', 'a'), entryOf('2', 'a', 'b')])).toEqual({
      ok: true,
    });
    expect([removed, settled]).toEqual([['1', '2'], []]);
  });

  it('notes what each topic acknowledged, whatever became of another', async () => {
    const { deps, removed, settled } = setUp({ gone: REFUSED });
    const published = await createPublishEntries(deps)([
      entryOf('1', 'a', 'gone', 'b'),
      entryOf('2', 'a'),
      entryOf('3', 'gone'),
    ]);
    expect(published).toEqual({ ok: false, reason: 'Kafka refused: UNKNOWN_TOPIC_OR_PARTITION' });
    expect(removed).toEqual(['2']);
    expect(settled).toEqual([{ id: '1', published: '101', retryInMs: null, isRefused: true }]);
  });

  it('leaves what was not sent to whoever looks first', async () => {
    const { deps, removed, settled } = setUp({ a: UNSENT });
    expect(await createPublishEntries(deps)([entryOf('1', 'a')])).toMatchObject({ ok: false });
    expect([removed, settled]).toEqual([[], []]);
  });

  it('does not take a time-out for a failure: nobody repeats it while it may be on its way', async () => {
    const { deps, settled } = setUp({ slow: UNKNOWN });
    await createPublishEntries(deps)([entryOf('1', 'slow'), entryOf('2', 'a', 'slow')]);
    expect(settled).toEqual([
      { id: '1', published: '0', retryInMs: 15_000, isRefused: false },
      { id: '2', published: '10', retryInMs: 15_000, isRefused: false },
    ]);
  });

  it('takes the answer that comes late: what is published after all goes, and the rest keeps its time', async () => {
    const late = Promise.withResolvers<readonly Delivery[]>();
    const { deps, removed, settled } = setUp({ slow: UNKNOWN, never: UNKNOWN }, late.promise);
    await createPublishEntries(deps)([entryOf('1', 'slow'), entryOf('2', 'slow', 'never')]);
    settled.splice(0);
    late.resolve([ACKNOWLEDGED, ACKNOWLEDGED, UNKNOWN]);
    await new Promise(setImmediate);
    expect(removed).toEqual(['1']);
    expect(settled).toEqual([{ id: '2', published: '10', retryInMs: null, isRefused: null }]);
  });

  it('has published where only the noting failed: a duplicate to come, no loss', async () => {
    const { deps } = setUp({ gone: REFUSED });
    const away = () => Promise.reject(new Error('no database'));
    const publish = createPublishEntries({ ...deps, outbox: { remove: away, settle: away } });
    expect(await publish([entryOf('1', 'a')])).toEqual({ ok: true });
    expect(await publish([entryOf('1', 'a', 'gone')])).toMatchObject({ ok: false });
  });
});

describe('publishCommitted, where a registry must be asked', () => {
  const task = (name: string): OutgoingMessage => ({
    topic: 'tasks.http',
    key: name,
    value: { agent_name: name },
    taskOf: { owner: 'ann', name },
  });
  const entry: OutboxEntry = {
    id: '1',
    messages: [messageTo('updates'), task('theirs'), messageTo('steps')],
  };

  /** A registry that answers when it is told to. */
  function registryOf() {
    const known = new Map<string, AgentRoute>();
    const answered = Promise.withResolvers<void>();
    const patience: number[] = [];
    const registry: AgentRegistry = {
      known: (name) => known.get(name),
      lookUp: (_names, patienceMs) => {
        patience.push(patienceMs);
        return answered.promise;
      },
    };
    const topics = {
      ...topicsFor({ prefix: '', executionTopic: 'executions', cancellationTopic: 'cancellations' }),
      httpTasks: 'tasks.http',
    };
    return { known, answered, patience, routeTasks: createRouteTasks({ registry, topics }) };
  }

  it('publishes at once all that need not wait for it', async () => {
    const { deps, sent, removed } = setUp();
    const { known, answered, routeTasks } = registryOf();
    const publishing = createPublishCommitted({ ...deps, routeTasks })(entry, new Map());
    await new Promise(setImmediate);
    expect(sent).toEqual([['updates', 'steps']]);
    known.set('theirs', { kind: 'kafka', address: 'agent.theirs', timeoutSeconds: null });
    answered.resolve();
    await publishing;
    expect(sent).toEqual([['updates', 'steps'], ['agent.theirs']]);
    expect(removed).toEqual(['1']);
  });

  it('leaves to the timekeeper what it does not tell in a moment', async () => {
    const { deps, sent, removed, settled } = setUp();
    const { answered, patience, routeTasks } = registryOf();
    answered.resolve();
    await createPublishCommitted({ ...deps, routeTasks })(entry, new Map());
    expect(patience).toEqual([150]);
    expect(sent).toEqual([['updates', 'steps']]);
    expect(removed).toEqual([]);
    expect(settled).toEqual([{ id: '1', published: '101', retryInMs: null, isRefused: null }]);
  });
});
