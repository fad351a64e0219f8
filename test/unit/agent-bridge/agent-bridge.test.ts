import { describe, expect, it } from 'vitest';
import { createAgentBridge } from '../../../shared/agent-bridge/agent-bridge.ts';
import { hashOf } from '../../../shared/agent-bridge/agent-speeds.ts';
import { failedCall } from '../../../shared/agents/call-outcome.ts';
import { PublishError } from '../../../shared/kafka/producer.ts';
import { agentResult, deadLetter } from '../../../shared/messages/messages.ts';
import type { AttemptCall, StoredSpeed } from '../../../shared/persistence/agent-calls.ts';
import { DatabaseUnavailableError } from '../../../shared/persistence/database-errors.ts';
import { ECHO_URL, eventOf, FakePorts, plenty, speedOf, storedAgent, T0, tokens } from './fake-ports.ts';

describe('a task', () => {
  it('becomes a call of its agent, and the answer a result', async () => {
    const ports = new FakePorts();
    const agent = { ...storedAgent, secretEncrypted: Buffer.from('whsec_c2VjcmV0') };
    const task = ports.task('a', { agent });
    await createAgentBridge(ports).handleRecords(eventOf(task), plenty);
    expect(ports.called).toEqual([
      {
        agent: {
          name: 'echo',
          kind: 'http',
          address: 'http://agent.test/echo',
          owner: null,
          timeoutSeconds: null,
          secrets: ['whsec_c2VjcmV0'],
        },
        timeoutMs: 60_000,
        patienceMs: 3_000,
        timeoutMessage: undefined,
        idempotencyKey: 'run-a:extract:1',
        body: {
          run_id: 'run-a',
          step_execution_id: 'a',
          step_id: 'extract',
          attempt: 2,
          input_data: { source: 'a' },
          callback_url: `https://stepline.test/api/v1/callbacks/a/${tokens.callbackToken('a')}`,
        },
      },
    ]);
    expect(ports.published).toEqual([
      [
        {
          topic: 'results.topic',
          key: 'run-a',
          value: {
            message_type: 'agent_result',
            run_id: 'run-a',
            step_execution_id: 'a',
            attempt: 2,
            status: 'completed',
            output_data: { echo: { source: 'a' } },
            result_token: tokens.resultToken('a'),
            timestamp: '2026-01-01T00:00:00.000Z',
          },
        },
      ],
    ]);
    expect(ports.extended).toEqual([]);
  });

  it.each<[string, Partial<AttemptCall>, number]>([
    ['the step', { timeoutMs: 1_500, agent: { ...storedAgent, timeoutSeconds: 9 } }, 1_500],
    ['the agent', { timeoutMs: null, agent: { ...storedAgent, timeoutSeconds: 9 } }, 9_000],
    ['nobody', { timeoutMs: null }, 60_000],
  ])('has the time that %s gives', async (_, attempt, timeoutMs) => {
    const ports = new FakePorts();
    await createAgentBridge(ports).handleRecords(eventOf(ports.task('a', attempt)), plenty);
    expect(ports.called.map((call) => call.timeoutMs)).toEqual([timeoutMs]);
  });

  it('that failed becomes a failed result with what was said', async () => {
    const ports = new FakePorts();
    ports.answer = () => failedCall('BUSY', 'later', { retryable: true, retryAfterMs: 2_000 });
    await createAgentBridge(ports).handleRecords(eventOf(ports.task('a')), plenty);
    const [message] = ports.messages('results.topic');
    expect(message).toMatchObject({
      status: 'failed',
      error: { code: 'BUSY', message: 'later', retryable: true, retry_after_ms: 2_000 },
    });
    expect(agentResult.safeParse(message).success).toBe(true);
  });

  it('whose agent accepted keeps the attempt open for what is left of its time', async () => {
    const ports = new FakePorts();
    ports.answer = () => {
      ports.now += 400;
      return { status: 'accepted' };
    };
    await createAgentBridge(ports).handleRecords(eventOf(ports.task('a', { timeoutMs: 5_000 })), plenty);
    expect(ports.extended).toEqual([
      [{ stepExecutionId: 'a', runId: 'run-a', deadlineInMs: 4_600, accepted: true }],
    ]);
    expect(ports.published).toEqual([]);
  });

  it.each<[string, Partial<AttemptCall>]>([
    ['is settled', { attemptStatus: 'COMPLETED' }],
    ['was cancelled', { attemptStatus: 'CANCELLED' }],
    ['has not begun', { attemptStatus: 'PENDING' }],
    ['waits for a callback', { accepted: true }],
    ['belongs to a closed run', { runStatus: 'FAILED' }],
  ])('of an attempt that %s is skipped', async (_, attempt) => {
    const ports = new FakePorts();
    await createAgentBridge(ports).handleRecords(eventOf(ports.task('a', attempt)), plenty);
    expect([ports.called, ports.published, ports.extended]).toEqual([[], [], []]);
  });

  it('that came twice in a batch is carried out once', async () => {
    const ports = new FakePorts();
    const task = ports.task('a');
    await createAgentBridge(ports).handleRecords(eventOf(task, task), plenty);
    expect(ports.called).toHaveLength(1);
    expect(ports.messages('results.topic')).toHaveLength(1);
  });
});

describe('an agent', () => {
  it.each<[string, Partial<AttemptCall>, { code: string; retryable: boolean }]>([
    ['is in no table', { agent: null }, { code: 'AGENT_NOT_FOUND', retryable: false }],
    [
      'is of another kind by now',
      { agent: { ...storedAgent, kind: 'lambda' } },
      { code: 'AGENT_KIND_CHANGED', retryable: true },
    ],
  ])('that %s fails the attempt', async (_, attempt, error) => {
    const ports = new FakePorts();
    await createAgentBridge(ports).handleRecords(eventOf(ports.task('a', attempt)), plenty);
    expect(ports.messages('results.topic')).toMatchObject([{ status: 'failed', error }]);
    expect(ports.called).toEqual([]);
  });

  it('is for the bridge of its kind alone', async () => {
    const lambda = { ...storedAgent, kind: 'lambda', address: 'extractor:live' } as const;
    const ports = Object.assign(new FakePorts(), { kind: 'lambda' } as const);
    const event = eventOf(ports.task('http'), ports.task('lambda', { agent: lambda }));
    await createAgentBridge(ports).handleRecords(event, plenty);
    expect(ports.called.map(({ agent }) => agent.address)).toEqual(['extractor:live']);
    expect(ports.messages('results.topic')).toContainEqual(
      expect.objectContaining({
        step_execution_id: 'http',
        error: expect.objectContaining({ code: 'AGENT_KIND_CHANGED', retryable: true }),
      }),
    );
  });

  it('whose secret cannot be decrypted fails the attempt', async () => {
    const ports = Object.assign(new FakePorts(), {
      readSecret: () => {
        throw new Error('other key');
      },
    });
    const agent = { ...storedAgent, secretEncrypted: Buffer.from('x') };
    await createAgentBridge(ports).handleRecords(eventOf(ports.task('a', { agent })), plenty);
    expect(ports.messages('results.topic')).toMatchObject([
      {
        error: {
          code: 'AGENT_SECRET_UNUSABLE',
          message: 'other key (agent "echo" at http://agent.test/echo)',
          retryable: false,
        },
      },
    ]);
  });

  it('is called with the secret before as well while both are valid', async () => {
    const ports = new FakePorts();
    const secrets = { secretEncrypted: Buffer.from('new'), previousSecretEncrypted: Buffer.from('old') };
    const task = ports.task('a', { agent: { ...storedAgent, ...secrets } });
    await createAgentBridge(ports).handleRecords(eventOf(task), plenty);
    expect(ports.called).toMatchObject([{ agent: { secrets: ['new', 'old'] } }]);
  });

  it('is called with its new secret where the one before cannot be decrypted any more', async () => {
    const ports = Object.assign(new FakePorts(), {
      readSecret: (encrypted: Buffer) => {
        if (encrypted.toString() === 'old') throw new Error('other key');
        return encrypted.toString();
      },
    });
    const secrets = { secretEncrypted: Buffer.from('new'), previousSecretEncrypted: Buffer.from('old') };
    const task = ports.task('a', { agent: { ...storedAgent, ...secrets } });
    await createAgentBridge(ports).handleRecords(eventOf(task), plenty);
    expect(ports.called).toMatchObject([{ agent: { secrets: ['new'] } }]);
  });

  it.each(['of the table', 'of the registry'])('%s is called only where agents may be', async (where) => {
    const ports = new FakePorts();
    const asked: unknown[] = [];
    ports.checkAddress = ({ kind, address, owner }) => {
      asked.push([kind, address, owner]);
      return 'expected a public address';
    };
    const address = 'http://agent.test/echo?key=1';
    ports.lookupRegistry = async (name) => ({
      status: 'found',
      agent: { name, kind: 'http', address, owner: null, timeoutSeconds: null, secrets: [] },
    });
    const agent = where === 'of the table' ? { ...storedAgent, address, owner: 'ann' } : null;
    await createAgentBridge(ports).handleRecords(eventOf(ports.task('a', { agent })), plenty);
    expect(asked).toEqual([['http', address, agent === null ? null : 'ann']]);
    expect(ports.called).toEqual([]);
    expect(ports.messages('results.topic')).toMatchObject([
      {
        error: {
          code: 'AGENT_ADDRESS_REFUSED',
          message:
            'The agent cannot be called where it is registered: expected a public address (agent "echo" at http://agent.test/echo)',
          retryable: false,
        },
      },
    ]);
  });

  it('of the registry is called like one of the table', async () => {
    const ports = new FakePorts();
    ports.lookupRegistry = async (name) => ({
      status: 'found',
      agent: {
        name,
        kind: 'http',
        address: 'http://registered.test',
        owner: null,
        timeoutSeconds: 7,
        secrets: ['s3cret-s3cret'],
      },
    });
    await createAgentBridge(ports).handleRecords(
      eventOf(ports.task('a', { agent: null, speed: speedOf('http://registered.test') })),
      plenty,
    );
    expect(ports.called).toMatchObject([
      { agent: { address: 'http://registered.test', secrets: ['s3cret-s3cret'] }, timeoutMs: 7_000 },
    ]);
  });

  it.each([
    [{ status: 'unknown' as const }, { code: 'AGENT_NOT_FOUND', retryable: false }],
    [
      { status: 'unavailable' as const, message: 'down' },
      { code: 'AGENT_REGISTRY_UNAVAILABLE', retryable: true },
    ],
  ])('the registry says %j about', async (answer, error) => {
    const ports = new FakePorts();
    ports.lookupRegistry = async () => answer;
    await createAgentBridge(ports).handleRecords(eventOf(ports.task('a', { agent: null })), plenty);
    expect(ports.messages('results.topic')).toMatchObject([{ error }]);
  });

  it('of the table does not wait for the registry', async () => {
    const ports = new FakePorts();
    const lookup = Promise.withResolvers<{ status: 'unknown' }>();
    ports.lookupRegistry = () => lookup.promise;
    const event = eventOf(ports.task('a', { agent: null }), ports.task('b'));
    const handling = createAgentBridge(ports).handleRecords(event, plenty);
    await expect
      .poll(() => ports.messages('results.topic'))
      .toMatchObject([{ step_execution_id: 'b', status: 'completed' }]);
    lookup.resolve({ status: 'unknown' });
    await handling;
    expect(ports.messages('results.topic')).toHaveLength(2);
  });
});

describe('a batch', () => {
  it('is loaded by one query, called side by side, and published together where answers come together', async () => {
    const ports = new FakePorts();
    let open = 0;
    let most = 0;
    let done = 0;
    let together = Promise.withResolvers<void>();
    ports.answer = async () => {
      most = Math.max(most, ++open);
      const mine = together;
      // All that are called at once are answered at once.
      if (open === Math.min(128, 300 - done)) {
        done += open;
        open = 0;
        together = Promise.withResolvers();
        mine.resolve();
      }
      await mine.promise;
      return { status: 'completed', output: null, logs: null };
    };
    const tasks = Array.from({ length: 300 }, (_, i) => ports.task(`t${i}`));
    await createAgentBridge(ports).handleRecords(eventOf(...tasks), plenty);
    expect(ports.loads).toHaveLength(1);
    expect(most).toBe(128);
    expect(ports.messages('results.topic')).toHaveLength(300);
    expect(ports.published.length).toBeLessThan(30);
  });

  it('publishes a quick answer while a slow one is awaited', async () => {
    const ports = new FakePorts();
    const slow = Promise.withResolvers<void>();
    ports.answer = async ({ body }) => {
      if (body.step_execution_id === 'slow') await slow.promise;
      return { status: 'completed', output: null, logs: null };
    };
    const handling = createAgentBridge(ports).handleRecords(
      eventOf(ports.task('slow'), ports.task('quick')),
      plenty,
    );
    await expect.poll(() => ports.messages('results.topic')).toMatchObject([{ step_execution_id: 'quick' }]);
    slow.resolve();
    await handling;
    expect(ports.messages('results.topic')).toHaveLength(2);
  });

  it('gives what is no task to the dead letters, and its neighbours go on', async () => {
    const ports = new FakePorts();
    const good = ports.task('good');
    const forged = { ...ports.task('forged'), result_token: tokens.resultToken('good') };
    const missing = ports.task('missing');
    ports.attempts.delete('missing');
    const otherRun = ports.task('other', {}, { run_id: 'run-of-somebody' });
    const noTask = { ...good, message_type: 'agent_result' };
    const event = eventOf('not json', noTask, forged, missing, otherRun, good);
    await createAgentBridge(ports).handleRecords(event, plenty);
    const letters = ports.messages('workflow.dead-letter');
    expect(letters.map(({ offset, reason }) => [offset, String(reason).split(':')[0]])).toEqual([
      [0, 'expected JSON'],
      [1, 'message_type'],
      [2, 'result_token'],
      [3, 'step_execution_id'],
      [4, 'step_execution_id'],
    ]);
    expect(letters[0]).toMatchObject({
      topic: 'orchestrator.tasks.http',
      partition: 3,
      key: 'a2V5',
      value: Buffer.from('not json').toString('base64'),
      timestamp: new Date(T0).toISOString(),
    });
    expect(ports.counted.map(({ offset }) => offset).sort()).toEqual([0, 1, 2, 3, 4]);
    for (const letter of letters) expect(deadLetter.safeParse(letter).success).toBe(true);
    expect(ports.messages('results.topic')).toMatchObject([{ step_execution_id: 'good' }]);
  });

  it('of nothing that is a task asks the database nothing', async () => {
    const ports = new FakePorts();
    await createAgentBridge(ports).handleRecords(eventOf('{}'), plenty);
    expect(ports.loads).toEqual([]);
  });
});

describe('handing on', () => {
  const longTask = (ports: FakePorts, id: string) => ports.task(id, { timeoutMs: 120_000 });

  it('is for a step that may take longer than a minute, with its wake brought forward first', async () => {
    const ports = new FakePorts();
    const events: string[] = [];
    const { extendDeadlines, invokeSelf } = ports;
    Object.assign(ports, {
      extendDeadlines: (...args: Parameters<typeof extendDeadlines>) => {
        events.push('extend');
        return extendDeadlines(...args);
      },
      invokeSelf: (handed: Parameters<NonNullable<typeof invokeSelf>>[0]) => {
        events.push('invoke');
        return invokeSelf!(handed);
      },
    });
    const task = longTask(ports, 'a');
    await createAgentBridge(ports).handleRecords(eventOf(task), plenty);
    expect(events).toEqual(['extend', 'invoke']);
    expect(ports.extended).toEqual([
      [{ stepExecutionId: 'a', runId: 'run-a', deadlineInMs: 180_000, accepted: false }],
    ]);
    expect(ports.handed).toEqual([{ handed_tasks: [task] }]);
    expect(ports.called).toEqual([]);
  });

  const idsOf = (ports: FakePorts) =>
    ports.handed.map(({ handed_tasks }) => handed_tasks.map((task) => task.step_execution_id));

  it('is for an agent that nobody has called, before it is called: no call is made twice to find out', async () => {
    const ports = new FakePorts();
    const tasks = ['a', 'b', 'c'].map((id) => ports.task(id, { speed: null }));
    await createAgentBridge(ports).handleRecords(eventOf(...tasks), plenty);
    expect([ports.called.length, idsOf(ports)]).toEqual([0, [['a', 'b', 'c']]]);
  });

  it.each<[string, StoredSpeed]>([
    ['was slow', speedOf(ECHO_URL, 1_001)],
    ['was quick at another address', speedOf('http://agent.test/before')],
    ['was quick more than a week ago', { ...speedOf(ECHO_URL), ageMs: 8 * 86_400_000 }],
  ])('is for an agent that %s, whoever called it', async (_, speed) => {
    const ports = new FakePorts();
    await createAgentBridge(ports).handleRecords(eventOf(ports.task('a', { speed })), plenty);
    expect([ports.called.length, idsOf(ports)]).toEqual([0, [['a']]]);
  });

  it('measures the agent where it is called, and tells every environment', async () => {
    const ports = new FakePorts();
    ports.answer = () => {
      ports.now += 250;
      return { status: 'completed', output: null, logs: null };
    };
    const bridge = createAgentBridge(ports);
    const task = ports.task('a', { speed: null });
    await bridge.handleHanded([task], plenty);
    expect(ports.speeds).toEqual([
      { name: 'echo', owner: null, addressHash: hashOf(ECHO_URL), averageMs: 250 },
    ]);
    // And knows it itself: it is called here from now on, and told of once a minute.
    await bridge.handleRecords(eventOf(ports.task('b', { speed: null })), plenty);
    expect([ports.called.length, ports.speeds.length]).toEqual([2, 1]);
    ports.now += 60_000;
    await bridge.handleRecords(eventOf(ports.task('c', { speed: null })), plenty);
    expect([ports.called.length, ports.speeds.length]).toEqual([3, 2]);
  });

  it('that cannot be told of is done all the same', async () => {
    const ports = new FakePorts();
    ports.speedsError = () => new Error('no database');
    await createAgentBridge(ports).handleHanded([ports.task('a', { speed: null })], plenty);
    expect(ports.messages('results.topic')).toHaveLength(1);
    expect(ports.warnings).toEqual(['Could not tell how quick agents are']);
  });

  it('is for a call of a quick agent that hangs, which is given up after short patience', async () => {
    const ports = new FakePorts();
    const bridge = createAgentBridge(ports);
    ports.answer = ({ patienceMs = 0 }) => {
      ports.now += patienceMs;
      return { status: 'given_up' };
    };
    const hanging = ports.task('hanging');
    await bridge.handleRecords(eventOf(hanging), plenty);
    expect(ports.called.map(({ timeoutMs, patienceMs }) => [timeoutMs, patienceMs])).toEqual([
      [60_000, 3_000],
    ]);
    expect(ports.extended).toEqual([
      [{ stepExecutionId: 'hanging', runId: 'run-hanging', deadlineInMs: 120_000, accepted: false }],
    ]);
    expect(ports.handed).toEqual([{ handed_tasks: [hanging] }]);
    // And it is known as slow: to every environment, at once.
    expect(ports.speeds.map(({ averageMs }) => averageMs)).toEqual([2_000]);
    const next = ports.task('next');
    await bridge.handleRecords(eventOf(next), plenty);
    expect([ports.called.length, ports.handed.at(-1)]).toEqual([1, { handed_tasks: [next] }]);
  });

  it('is for no call that can be made nowhere else', async () => {
    const ports = new FakePorts();
    ports.invokeSelf = null;
    const bridge = createAgentBridge(ports);
    for (const id of ['first', 'second']) await bridge.handleRecords(eventOf(ports.task(id)), plenty);
    expect(ports.called.map(({ patienceMs }) => patienceMs)).toEqual([undefined, undefined]);
  });

  it('is for a task whose time this invocation does not have', async () => {
    const ports = new FakePorts();
    await createAgentBridge(ports).handleRecords(eventOf(ports.task('a')), { remainingMs: () => 5_000 });
    expect([ports.called.length, ports.handed.length]).toEqual([0, 1]);
  });

  it('puts at most 32 tasks and a megabyte into one payload', async () => {
    const ports = new FakePorts();
    const many = Array.from({ length: 70 }, (_, i) => longTask(ports, `t${i}`));
    await createAgentBridge(ports).handleRecords(eventOf(...many), plenty);
    expect(ports.handed.map(({ handed_tasks }) => handed_tasks.length)).toEqual([32, 32, 6]);

    const heavy = new FakePorts();
    const large = Array.from({ length: 8 }, (_, i) => ({
      ...longTask(heavy, `t${i}`),
      input_data: 'x'.repeat(260_000),
    }));
    await createAgentBridge(heavy).handleRecords(eventOf(...large), plenty);
    expect(heavy.handed.map(({ handed_tasks }) => handed_tasks.length)).toEqual([3, 3, 2]);
    for (const handed of heavy.handed) expect(JSON.stringify(handed).length).toBeLessThan(1_000_000);
  });

  it('that fails leaves the call here', async () => {
    const ports = new FakePorts();
    ports.invokeError = () => new Error('throttled');
    await createAgentBridge(ports).handleRecords(eventOf(longTask(ports, 'a')), plenty);
    expect(ports.called).toMatchObject([{ timeoutMs: 120_000, timeoutMessage: undefined }]);
    expect(ports.warnings).toHaveLength(1);
  });

  it('is not done twice: a handed task is called, in the time that its invocation has', async () => {
    const ports = new FakePorts();
    const task = longTask(ports, 'a');
    await createAgentBridge(ports).handleHanded([task], { remainingMs: () => 63_000 });
    expect(ports.handed).toEqual([]);
    expect(ports.called).toMatchObject([{ timeoutMs: 60_000 }]);
    expect(ports.called[0]?.timeoutMessage).toMatch(
      /^The agent did not answer within 60000 ms\. The step allows 120000 ms/,
    );
  });

  it('skips attempts that were closed meanwhile, and forged tasks', async () => {
    const ports = new FakePorts();
    const closed = ports.task('a', { attemptStatus: 'CANCELLED' });
    const forged = ports.task('b', {}, { result_token: 'x' });
    await createAgentBridge(ports).handleHanded([closed, forged], plenty);
    expect(ports.called).toEqual([]);
  });
});

describe('trouble', () => {
  it('in publishing is tried again, and the agent is not called again', async () => {
    const ports = new FakePorts();
    let failures = 1;
    ports.publishError = () => (failures-- > 0 ? new PublishError('no broker') : null);
    await createAgentBridge(ports).handleRecords(eventOf(ports.task('a')), plenty);
    expect(ports.called).toHaveLength(1);
    expect(ports.messages('results.topic')).toHaveLength(1);
  });

  it.each(['completed', 'accepted'] as const)(
    'that outlasts the invocation with an answer %s fails the batch',
    async (status) => {
      const ports = new FakePorts();
      let remainingMs = 10_000;
      ports.invokeSelf = null;
      ports.answer = () => {
        remainingMs = 1_000;
        return status === 'accepted' ? { status } : { status, output: null, logs: null };
      };
      ports.publishError = () => new PublishError('no broker');
      ports.extendError = () => new DatabaseUnavailableError('no database');
      const handling = createAgentBridge(ports).handleRecords(eventOf(ports.task('a')), {
        remainingMs: () => remainingMs,
      });
      await expect(handling).rejects.toThrow(status === 'accepted' ? 'no database' : 'no broker');
    },
  );

  it('with one task does not keep the answers of the others', async () => {
    const ports = new FakePorts();
    ports.invokeSelf = null;
    let remainingMs = 100_000;
    ports.answer = () => {
      remainingMs = 0;
      return { status: 'completed', output: null, logs: null };
    };
    const tasks = Array.from({ length: 130 }, (_, i) => ports.task(`t${i}`));
    const handling = createAgentBridge(ports).handleRecords(eventOf(...tasks), {
      remainingMs: () => remainingMs,
    });
    await expect(handling).rejects.toMatchObject({ code: 'OUT_OF_TIME' });
    expect(ports.messages('results.topic').length).toBe(ports.called.length);
    expect(ports.called.length).toBeGreaterThan(0);
  });
});
