import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { KafkaEvent } from '../../../localstack/event-source/kafka-event.ts';
import { MappingHarness, textOf, until } from './mapping-harness.ts';

let harness: MappingHarness;

beforeAll(async () => {
  harness = await MappingHarness.open(inject('kafkaBrokers'), 'mapping');
});

afterAll(() => harness.close());

describe('the event', () => {
  test('is an MSK event: base64 keys and values, signed header bytes, null ones left out', async () => {
    const topic = await harness.createTopic();
    await harness.produce(topic, [
      {
        key: 'run-1',
        value: '{"a":"ä"}',
        headers: { trace: Buffer.from([0, 127, 128, 255]), again: ['x', 'y'] },
        timestamp: '1700000000123',
      },
      { key: null, value: null, timestamp: '1700000000124' },
    ]);
    const events: KafkaEvent[] = [];
    await harness.mapping(topic, (_, event) => void events.push(event)).start();
    await until(() => events.length === 1);
    expect(events[0]).toEqual({
      eventSource: 'aws:kafka',
      eventSourceArn:
        'arn:aws:kafka:us-east-1:000000000000:cluster/stepline/00000000-0000-0000-0000-000000000000-1',
      bootstrapServers: inject('kafkaBrokers'),
      records: {
        [`${topic}-0`]: [
          {
            topic,
            partition: 0,
            offset: 0,
            timestamp: 1700000000123,
            timestampType: 'CREATE_TIME',
            key: 'cnVuLTE=',
            value: 'eyJhIjoiw6QifQ==',
            headers: [{ trace: [0, 127, -128, -1] }, { again: [120] }, { again: [121] }],
          },
          {
            topic,
            partition: 0,
            offset: 1,
            timestamp: 1700000000124,
            timestampType: 'CREATE_TIME',
            headers: [],
          },
        ],
      },
    });
  });

  test('stays below 6 MB: larger batches are split', async () => {
    const topic = await harness.createTopic();
    const value = 'x'.repeat(900_000);
    for (let index = 0; index < 7; index += 1) await harness.produceValues(topic, [value]);
    const sizes: number[] = [];
    let records = 0;
    const mapping = harness.mapping(topic, (batch, event) => {
      sizes.push(Buffer.byteLength(JSON.stringify(event)));
      records += batch.length;
    });
    await mapping.start();
    await until(() => records === 7);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(6_291_456);
    expect(sizes.length).toBeGreaterThanOrEqual(2);
  });
});

describe('batches', () => {
  test('keep the order of a partition, hold at most batchSize, and start at the topic’s beginning', async () => {
    const topic = await harness.createTopic();
    const values = Array.from({ length: 25 }, (_, index) => String(index));
    await harness.produceValues(topic, values);
    const batches: string[][] = [];
    await harness
      .mapping(topic, (records) => void batches.push(records.map(textOf)), { batchSize: 10 })
      .start();
    await until(() => batches.flat().length === 25);
    expect(batches.flat()).toEqual(values);
    expect(batches.map((batch) => batch.length)).toEqual([10, 10, 5]);
  });

  test('without a window take what has arrived; with one wait for more until it closes', async () => {
    const topic = await harness.createTopic();
    const windowed = await harness.createTopic();
    const eager: string[][] = [];
    const gathered: string[][] = [];
    await harness.mapping(topic, (records) => void eager.push(records.map(textOf))).start();
    const window = { maximumBatchingWindowInMs: 2_000 };
    await harness.mapping(windowed, (records) => void gathered.push(records.map(textOf)), window).start();
    for (const value of ['1', '2', '3']) await harness.produceValues(windowed, [value]);
    for (const value of ['1', '2', '3']) {
      await harness.produceValues(topic, [value]);
      await until(() => eager.flat().includes(value));
    }
    expect(eager).toEqual([['1'], ['2'], ['3']]);
    await until(() => gathered.length > 0);
    expect(gathered).toEqual([['1', '2', '3']]);
  });

  test('with a window go out as soon as they are full', async () => {
    const topic = await harness.createTopic();
    const batches: string[][] = [];
    const settings = { batchSize: 2, maximumBatchingWindowInMs: 60_000 };
    await harness.mapping(topic, (records) => void batches.push(records.map(textOf)), settings).start();
    await harness.produceValues(topic, ['1', '2', '3']);
    await until(() => batches.length === 1);
    await sleep(50);
    expect(batches).toEqual([['1', '2']]);
  });

  test('of one partition follow one another; partitions do not wait for each other', async () => {
    const topic = await harness.createTopic(2);
    await harness.produceValues(topic, ['slow', 'slow'], 0);
    await harness.produceValues(topic, ['fast', 'fast', 'fast'], 1);
    const running = { 0: 0, 1: 0 };
    let most = 0;
    const fast: string[] = [];
    const slow = Promise.withResolvers<void>();
    const mapping = harness.mapping(
      topic,
      async ([record]) => {
        const partition = record?.partition === 0 ? 0 : 1;
        most = Math.max(most, ++running[partition]);
        if (partition === 0) await slow.promise;
        else fast.push('done');
        running[partition] -= 1;
      },
      { batchSize: 1 },
    );
    await mapping.start();
    await until(() => fast.length === 3 && running[0] === 1);
    expect(most).toBe(1);
    slow.resolve();
    await until(() => running[0] === 0);
  });
});

describe('after an error', () => {
  test('the whole batch comes again, before what follows it, and only then is its offset committed', async () => {
    const topic = await harness.createTopic();
    await harness.produceValues(topic, ['a', 'b', 'c']);
    const batches: string[][] = [];
    let broken = true;
    const mapping = harness.mapping(
      topic,
      (records) => {
        batches.push(records.map(textOf));
        if (broken) throw new Error('not yet');
      },
      { batchSize: 2 },
    );
    await mapping.start();
    await until(() => batches.length >= 3);
    expect(await harness.committed(topic)).toEqual({ 0: -1 });
    broken = false;
    await until(async () => (await harness.committed(topic))[0] === 3);
    expect(batches.slice(0, 3)).toEqual([
      ['a', 'b'],
      ['a', 'b'],
      ['a', 'b'],
    ]);
    expect(batches.at(-1)).toEqual(['c']);
  });

  test('a function that runs past its timeout has failed', async () => {
    const topic = await harness.createTopic();
    await harness.produceValues(topic, ['a']);
    let invocations = 0;
    const mapping = harness.mapping(
      topic,
      () => (++invocations === 1 ? sleep(60_000, null, { ref: false }) : null),
      {},
      { timeoutMs: 100 },
    );
    await mapping.start();
    await until(async () => (await harness.committed(topic))[0] === 1);
    expect(invocations).toBe(2);
  });

  test('bisecting isolates the record that fails, and the attempts limit sends it to the on-failure topic', async () => {
    const topic = await harness.createTopic();
    const onFailureTopic = await harness.createTopic();
    await harness.produce(
      topic,
      ['a', 'b', 'poison', 'd'].map((value) => ({ key: `key-${value}`, value, timestamp: '1700000000123' })),
    );
    const done: string[] = [];
    const mapping = harness.mapping(
      topic,
      (records) => {
        if (records.some((record) => textOf(record) === 'poison')) throw new TypeError('poisoned');
        done.push(...records.map(textOf));
      },
      { bisectBatchOnFunctionError: true, maximumRetryAttempts: 2, onFailureTopic },
    );
    await mapping.start();
    await until(async () => (await harness.committed(topic))[0] === 4);
    expect(done).toEqual(['a', 'b', 'd']);
    const [given] = await harness.readJson(onFailureTopic, 1);
    expect(given).toEqual({
      key: 'key-poison',
      value: {
        requestContext: {
          requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
          functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:fixture:$LATEST',
          condition: 'RetriesExhausted',
          approximateInvokeCount: 3,
        },
        responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
        version: '1.0',
        timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        KafkaBatchInfo: {
          batchSize: 1,
          eventSourceArn: expect.stringContaining(':cluster/stepline/'),
          bootstrapServers: inject('kafkaBrokers'),
          payloadSize: expect.any(Number),
          recordInfo: { offset: '2', timestamp: '2023-11-14T22:13:20.123Z' },
        },
        payload: {
          eventSource: 'aws:kafka',
          eventSourceArn: expect.stringContaining(':cluster/stepline/'),
          bootstrapServers: inject('kafkaBrokers'),
          records: {
            [`${topic}-0`]: [
              {
                topic,
                partition: 0,
                offset: 2,
                timestamp: 1700000000123,
                timestampType: 'CREATE_TIME',
                key: 'a2V5LXBvaXNvbg==',
                value: 'cG9pc29u',
                headers: [],
              },
            ],
          },
        },
      },
    });
  });

  test('endless attempts with an on-failure topic end after ten retries, and the batch is given up whole', async () => {
    const topic = await harness.createTopic();
    const onFailureTopic = await harness.createTopic();
    await harness.produceValues(topic, ['a', 'b']);
    let invocations = 0;
    const mapping = harness.mapping(
      topic,
      () => {
        invocations += 1;
        throw new Error('always');
      },
      { onFailureTopic },
    );
    await mapping.start();
    const given = await harness.readJson(onFailureTopic, 2);
    expect(given.map(({ value }) => (value as { KafkaBatchInfo: unknown }).KafkaBatchInfo)).toMatchObject([
      { recordInfo: { offset: '0' } },
      { recordInfo: { offset: '1' } },
    ]);
    expect(invocations).toBe(11);
  });

  test('records older than the maximum age are given up without an invocation', async () => {
    const topic = await harness.createTopic();
    const onFailureTopic = await harness.createTopic();
    await harness.produce(topic, [
      { value: 'old', timestamp: String(Date.now() - 120_000) },
      { value: 'new', timestamp: String(Date.now()) },
    ]);
    const seen: string[] = [];
    const settings = { maximumRecordAgeInSeconds: 60, onFailureTopic };
    await harness.mapping(topic, (records) => void seen.push(...records.map(textOf)), settings).start();
    const [given] = await harness.readJson(onFailureTopic, 1);
    expect(given?.value).toMatchObject({
      requestContext: { condition: 'RecordAgeExceeded', approximateInvokeCount: 0 },
      responseContext: null,
    });
    await until(() => seen.length === 1);
    expect(seen).toEqual(['new']);
  });
});

describe('batchItemFailures', () => {
  const failAt = (topic: string, ...offsets: number[]) => ({
    batchItemFailures: offsets.map((offset) => ({ itemIdentifier: { partition: `${topic}-0`, offset } })),
  });

  test('resumes from the lowest offset named; what stands before it is committed', async () => {
    const topic = await harness.createTopic();
    await harness.produceValues(topic, ['a', 'b', 'c', 'd']);
    const batches: string[][] = [];
    const mayPass = Promise.withResolvers<void>();
    const mapping = harness.mapping(
      topic,
      async (records) => {
        batches.push(records.map(textOf));
        if (batches.length === 1) return failAt(topic, 3, 2);
        await mayPass.promise;
        return { batchItemFailures: [] };
      },
      { reportBatchItemFailures: true },
    );
    await mapping.start();
    await until(async () => (await harness.committed(topic))[0] === 2);
    mayPass.resolve();
    await until(async () => (await harness.committed(topic))[0] === 4);
    expect(batches).toEqual([
      ['a', 'b', 'c', 'd'],
      ['c', 'd'],
    ]);
  });

  test('counts attempts from the record on which a batch fails', async () => {
    const topic = await harness.createTopic();
    const onFailureTopic = await harness.createTopic();
    await harness.produceValues(topic, ['a', 'b']);
    const batches: string[][] = [];
    const mapping = harness.mapping(
      topic,
      (records) => {
        batches.push(records.map(textOf));
        return failAt(topic, 1);
      },
      { reportBatchItemFailures: true, maximumRetryAttempts: 1, onFailureTopic },
    );
    await mapping.start();
    await until(async () => (await harness.committed(topic))[0] === 2);
    expect(batches).toEqual([['a', 'b'], ['b']]);
    const [given] = await harness.readJson(onFailureTopic, 1);
    expect(given?.value).toMatchObject({
      requestContext: { condition: 'RetriesExhausted', approximateInvokeCount: 2 },
      responseContext: { functionError: null },
    });
  });

  test('is not looked at unless the mapping says so', async () => {
    const topic = await harness.createTopic();
    await harness.produceValues(topic, ['a', 'b']);
    await harness.mapping(topic, () => failAt(topic, 0)).start();
    await until(async () => (await harness.committed(topic))[0] === 2);
  });
});

describe('a mapping that stops', () => {
  test('commits what is done, and its successor goes on from there', async () => {
    const topic = await harness.createTopic();
    await harness.produceValues(topic, ['a', 'b', 'c']);
    const first: string[] = [];
    const stopped = Promise.withResolvers<void>();
    const mapping = harness.mapping(
      topic,
      (records) => {
        first.push(...records.map(textOf));
        if (first.length === 2) mapping.stop().then(stopped.resolve);
      },
      { batchSize: 1 },
      // Nothing would be committed before the stop by itself.
      { commitDelayMs: 60_000 },
    );
    await mapping.start();
    await stopped.promise;
    expect(await harness.committed(topic)).toEqual({ 0: 2 });
    const second: string[] = [];
    await harness.mapping(topic, (records) => void second.push(...records.map(textOf))).start();
    await until(() => second.length === 1);
    expect(first).toEqual(['a', 'b']);
    expect(second).toEqual(['c']);
  });

  test('gives nothing to the function while paused', async () => {
    const topic = await harness.createTopic();
    const seen: string[] = [];
    const mapping = harness.mapping(topic, (records) => void seen.push(...records.map(textOf)));
    mapping.paused = true;
    await mapping.start();
    await harness.produceValues(topic, ['a']);
    await sleep(100);
    expect(seen).toEqual([]);
    mapping.paused = false;
    await until(() => seen.length === 1);
  });
});

describe('two mappings of one group', () => {
  test('share the partitions, and one that goes hands over what it has not done', async () => {
    const topic = await harness.createTopic(4);
    const seen: string[] = [];
    const handler = (records: { value?: string }[]) =>
      void seen.push(...records.map((record) => record.value ?? ''));
    const one = harness.mapping(topic, handler, { batchSize: 1 });
    const two = harness.mapping(topic, handler, { batchSize: 1 });
    await Promise.all([one.start(), two.start()]);
    for (let round = 0; round < 10; round += 1) {
      await harness.produce(
        topic,
        [0, 1, 2, 3].map((partition) => ({ partition, value: `${round}-${partition}` })),
      );
      if (round === 4) await one.stop();
    }
    await until(() => new Set(seen).size === 40);
    await until(async () => Object.values(await harness.committed(topic)).every((offset) => offset === 10));
  });
});
