import type { TopicName } from './topics.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;

/**
 * How long each topic keeps its records. Work is kept longer than a mapping tries it (six days), so that a record that is given
 * up is still there to look at; what waits for somebody's decision is kept longest. Nothing is compacted: no topic's last record
 * of a key stands for those before it.
 */
export const retentionMs: Readonly<Record<TopicName, number>> = {
  executionRequests: 7 * DAY_MS,
  cancellationRequests: 7 * DAY_MS,
  stepRequests: 7 * DAY_MS,
  results: 7 * DAY_MS,
  httpTasks: 7 * DAY_MS,
  lambdaTasks: 7 * DAY_MS,
  monitoringUpdates: 3 * DAY_MS,
  deadLetter: 30 * DAY_MS,
  onFailure: 30 * DAY_MS,
};

/** What a mapping is allowed before it gives a record up. The functions answer for bad records themselves, so what fails so long is an outage. */
export const giveUp = { afterSeconds: 6 * 24 * 60 * 60, afterAttempts: 10_000 } as const;
