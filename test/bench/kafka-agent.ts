import type { Topics } from '../../shared/config/topics.ts';
import type { Json } from '../../shared/engine/json.ts';
import { createKafka } from '../../shared/kafka/client.ts';
import { createProducer } from '../../shared/kafka/producer.ts';
import type { AgentResult, AgentTask } from '../../shared/messages/messages.ts';

interface KafkaAgentOptions {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly topics: Topics;
  /** Default: its input. */
  readonly answer?: (input: Json) => Json;
}

/** An agent that speaks Kafka itself, in this process. */
export async function startKafkaAgent({
  brokers,
  topic,
  topics,
  answer = (input) => input,
}: KafkaAgentOptions): Promise<() => Promise<void>> {
  const producer = createProducer({ brokers, clientId: 'bench-agent' });
  const consumer = createKafka({ brokers, clientId: 'bench-agent' }).consumer({
    groupId: `${topic}.group`,
    maxWaitTimeInMs: 200,
    minBytes: 1,
  });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const joined = new Promise((resolve) => consumer.on('consumer.group_join', resolve));
  await consumer.run({
    partitionsConsumedConcurrently: 8,
    eachBatch: async ({ batch }) => {
      const answers = batch.messages.map(({ value }) => {
        const task = JSON.parse(String(value)) as AgentTask;
        const result = {
          message_type: 'agent_result',
          run_id: task.run_id,
          step_execution_id: task.step_execution_id,
          attempt: task.attempt,
          status: 'completed',
          output_data: answer(task.input_data),
          result_token: task.result_token,
        } satisfies AgentResult;
        return { topic: topics.results, key: task.run_id, value: result };
      });
      await producer.publish(answers, { timeoutMs: 10_000 });
    },
  });
  await joined;
  return async () => {
    await consumer.disconnect();
    await producer.close();
  };
}
