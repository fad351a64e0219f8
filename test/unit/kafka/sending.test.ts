import type { TopicMessages } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { Sending } from '../../../shared/kafka/sending.ts';
import { TopicTrust } from '../../../shared/kafka/topic-trust.ts';

/** As the client throws what Kafka answers. */
const answered = (type: string) => Object.assign(new Error(type), { type, retriable: false });

/** Topics whose leader is told by their key; `refuses` is asked for each request. */
function setUp(refuses: (topics: readonly string[]) => Error | null = () => null) {
  const requests: string[][] = [];
  const own = (topic: string) => !topic.startsWith('agent.');
  const trust = new TopicTrust(
    async () => {},
    own,
    () => 0,
  );
  const lane = {
    ready: async () => {},
    maybeFindPartition: (_: string, key: string) => ({ partition: Number(key), leader: Number(key) }),
    async send(topicMessages: TopicMessages[]) {
      const topics = topicMessages.map(({ topic }) => topic);
      requests.push(
        topicMessages.flatMap(({ topic, messages }) => messages.map(({ value }) => `${topic} ${value}`)),
      );
      const error = refuses(topics);
      if (error) throw error;
    },
  };
  const send = async (...records: [topic: string, key: string, value: string][]) => {
    const sending = new Sending({
      records: records.map(([topic, key, value]) => ({ topic, message: { key, value } })),
      trust,
      laneOf: () => lane,
      isOwn: own,
      timeoutMs: 1_000,
      maxChunkBytes: 1_000,
    });
    const { deliveries } = await sending.result();
    return deliveries.map(({ status }) => status);
  };
  return { send, requests };
}

describe('records for one leader', () => {
  it('are one request where their topics are our own, in their order', async () => {
    const { send, requests } = setUp();
    expect(
      await send(['told', '1', 'a'], ['results', '1', 'b'], ['told', '1', 'c'], ['told', '2', 'd']),
    ).toEqual(Array(4).fill('acknowledged'));
    expect(requests).toEqual([['told a', 'told c', 'results b'], ['told d']]);
  });

  it('go apart where a topic is another’s', async () => {
    const { send, requests } = setUp();
    await send(['told', '1', 'a'], ['agent.one', '1', 'b'], ['agent.two', '1', 'c']);
    expect(requests).toEqual([['told a'], ['agent.one b'], ['agent.two c']]);
  });

  it.each(['UNKNOWN_TOPIC_OR_PARTITION', 'MESSAGE_TOO_LARGE', 'NOT_ENOUGH_REPLICAS'])(
    'fare each topic for itself where Kafka answers %s, and go apart from then on',
    async (code) => {
      const { send, requests } = setUp((topics) => (topics.includes('told') ? answered(code) : null));
      const both = [
        ['told', '1', 'a'],
        ['results', '1', 'b'],
      ] as [string, string, string][];
      expect(await send(...both)).toEqual(['refused', 'acknowledged']);
      expect(requests[0]).toEqual(['told a', 'results b']);
      requests.splice(0);
      expect(await send(...both)).toEqual(['refused', 'acknowledged']);
      expect(requests).toContainEqual(['results b']);
      expect(requests.filter((request) => request.length > 1)).toEqual([]);
    },
  );

  it('are unknown all together where no answer came', async () => {
    const { send, requests } = setUp(() => answered('REQUEST_TIMED_OUT'));
    expect(await send(['told', '1', 'a'], ['results', '1', 'b'])).toEqual(['unknown', 'unknown']);
    expect(requests).toHaveLength(1);
  });
});
