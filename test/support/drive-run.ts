import type { BatchItem, Outcome } from '../../shared/application/batch.ts';
import type { AgentOutcome } from '../../shared/engine/event.ts';
import type { Json } from '../../shared/engine/json.ts';
import type { EngineHarness } from './engine-harness.ts';

export interface OpenStep {
  readonly id: string;
  readonly step_id: string;
  readonly scope: string;
  readonly status: 'PENDING' | 'RUNNING';
  readonly agent_name: string;
  readonly input_data: Json;
  readonly is_due: boolean;
}

/** Null: it does not answer. */
export type AnswerOf = (step: OpenStep) => AgentOutcome | null;

/**
 * What is requested starts, agents answer, and containers look again, until nothing moves by itself.
 * @param look before each round
 */
export async function driveRun(
  engine: EngineHarness,
  runId: string,
  answerOf: AnswerOf,
  look: () => Promise<void> = async () => {},
): Promise<void> {
  for (let rounds = 0; rounds < 1_000; rounds++) {
    await look();
    const items = (await openSteps(engine, runId)).flatMap((step) => itemsOf(runId, step, answerOf));
    const outcomes: Outcome[] = await engine.processBatch(items);
    const defect = outcomes.find(({ outcome }) => outcome === 'defect' || outcome === 'value_refused');
    if (defect !== undefined) throw new Error(JSON.stringify(defect));
    if (!outcomes.some(({ outcome }) => outcome === 'decided')) return;
  }
  throw new Error(`The run ${runId} does not come to an end`);
}

export function openSteps(engine: EngineHarness, runId: string): Promise<OpenStep[]> {
  return engine.database.many<OpenStep>(
    `select step_execution_id as id, step_id, scope, status, agent_name, input_data, due_at is null as is_due
       from step_executions where run_id = $1 and status in ('PENDING', 'RUNNING') order by created_at, id`,
    [runId],
  );
}

function itemsOf(runId: string, step: OpenStep, answerOf: AnswerOf): BatchItem[] {
  const { id: stepExecutionId, status, agent_name, is_due } = step;
  if (status === 'PENDING' || agent_name === '')
    return is_due ? [{ runId, event: { type: 'step_requested', stepExecutionId } }] : [];
  const outcome = answerOf(step);
  if (outcome === null) return [];
  return [{ runId, event: { type: 'agent_answered', stepExecutionId, attempt: null, logs: null, outcome } }];
}
