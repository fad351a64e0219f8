import type { Heartbeats } from '../application/change-run.ts';
import type { AgentClocks } from '../application/ports/agents.ts';
import type { Statements } from './database.ts';

/** What a bridge needs to know of an attempt before it calls the agent. */
export interface AttemptCall {
  readonly stepExecutionId: string;
  readonly runId: string;
  readonly runStatus: string;
  readonly attemptStatus: string;
  /** The agent answered 202: it will call back. */
  readonly accepted: boolean;
  readonly timeoutMs: number | null;
  readonly agentName: string;
  /** Null: not in the table. */
  readonly agent: StoredAgent | null;
  /** How quick that one, or the registry's of that name, was when somebody called it last; null: nobody has. */
  readonly speed: StoredSpeed | null;
}

export interface StoredAgent {
  readonly kind: 'http' | 'lambda' | 'kafka';
  readonly address: string;
  /** Null: it is everybody's. */
  readonly owner: string | null;
  readonly timeoutSeconds: number | null;
  readonly secretEncrypted: Buffer | null;
  /** That it was before, while both sign. */
  readonly previousSecretEncrypted: Buffer | null;
}

/** How quick an agent is, as the database keeps it for every environment. */
export interface AgentSpeed {
  readonly name: string;
  readonly owner: string | null;
  /** What was measured there says nothing of another address. */
  readonly addressHash: Buffer;
  readonly averageMs: number;
}

export interface StoredSpeed extends Pick<AgentSpeed, 'addressHash' | 'averageMs'> {
  readonly ageMs: number;
}

export interface DeadlineExtension {
  readonly stepExecutionId: string;
  readonly runId: string;
  /** From the database's now. */
  readonly deadlineInMs: number;
  /** The agent answered 202. */
  readonly accepted: boolean;
  /** Its task is in the agent's own topic, and is published no more. */
  readonly isPublished?: boolean;
}

export interface AgentCalls extends Heartbeats {
  /** One statement. Attempts that do not exist are absent. */
  loadCalls(stepExecutionIds: readonly string[]): Promise<ReadonlyMap<string, AttemptCall>>;
  /** One statement. */
  saveSpeeds(speeds: readonly AgentSpeed[]): Promise<unknown>;
  /** One statement. Attempts that are not RUNNING any more stay as they are. @returns how many were extended. */
  extendDeadlines(extensions: readonly DeadlineExtension[]): Promise<number>;
}

interface CallRow {
  step_execution_id: string;
  run_id: string;
  run_status: string;
  attempt_status: string;
  accepted: boolean;
  timeout_ms: number | null;
  agent_name: string;
  kind: StoredAgent['kind'] | null;
  address: string | null;
  agent_owner: string | null;
  timeout_seconds: number | null;
  secret_encrypted: Buffer | null;
  previous_secret_encrypted: Buffer | null;
  speed_address_hash: Buffer | null;
  average_ms: number | null;
  speed_age_ms: number | null;
}

export function createAgentCalls(statements: Statements): AgentCalls {
  return {
    async loadCalls(stepExecutionIds) {
      const rows = await statements.many<CallRow>('select * from load_attempt_calls($1)', [stepExecutionIds]);
      return new Map(rows.map((row) => [row.step_execution_id, callOf(row)]));
    },

    // In one order, so that two environments that have measured the same agents wait for each other instead of deadlocking.
    saveSpeeds(speeds) {
      const sorted = [...new Map(speeds.map((speed) => [speedKey(speed), speed]))]
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([, speed]) => speed);
      return statements.execute(
        `insert into agent_speeds (name, owner, address_hash, average_ms)
         select * from unnest($1::text[], $2::text[], $3::bytea[], $4::integer[])
         on conflict (name, owner) do update
            set address_hash = excluded.address_hash, average_ms = excluded.average_ms, measured_at = now()`,
        [
          sorted.map(({ name }) => name),
          sorted.map(({ owner }) => owner ?? ''),
          sorted.map(({ addressHash }) => addressHash),
          sorted.map(({ averageMs }) => averageMs),
        ],
      );
    },

    // Under the runs' locks, taken in the order that every batch takes them: a decision that is being saved does not deadlock with
    // this, and one that goes by these times is made again (functions/save_runs.sql).
    extendDeadlines: (extensions) =>
      statements.execute(
        `with locked as materialized (
           select run_id from workflow_runs where run_id = any($2::text[]) order by run_id for update
         )
         update step_executions as s
            set accepted_at = case when e.accepted then coalesce(s.accepted_at, now()) else s.accepted_at end,
                deadline_at = now() + e.deadline_in_ms * interval '1 millisecond',
                republished_at = case when e.is_published then coalesce(s.republished_at, now()) else s.republished_at end,
                heartbeat_due_at = case when e.accepted then now() + s.heartbeat_ms * interval '1 millisecond' else s.heartbeat_due_at end,
                wake_at = least(
                    now() + e.deadline_in_ms * interval '1 millisecond',
                    case when e.accepted then now() + s.heartbeat_ms * interval '1 millisecond' else s.heartbeat_due_at end
                )
           from unnest($1::text[], $2::text[], $3::bigint[], $4::boolean[], $5::boolean[])
                as e (step_execution_id, run_id, deadline_in_ms, accepted, is_published)
           join locked on locked.run_id = e.run_id
          where s.step_execution_id = e.step_execution_id and s.run_id = e.run_id and s.run_id = any($2::text[])
            and s.status = 'RUNNING'`,
        [
          extensions.map(({ stepExecutionId }) => stepExecutionId),
          extensions.map(({ runId }) => runId),
          extensions.map(({ deadlineInMs }) => Math.round(deadlineInMs)),
          extensions.map(({ accepted }) => accepted),
          extensions.map(({ isPublished = false }) => isPublished),
        ],
      ),

    // Under the run's lock, as above. Before it has accepted, the bridge still waits for the agent's first answer.
    async beat(runId, stepExecutionId) {
      const touched = await statements.execute(
        `with locked as materialized (select run_id from workflow_runs where run_id = $1 for update)
         update step_executions as s
            set heartbeat_due_at = case when s.accepted_at is not null then now() + s.heartbeat_ms * interval '1 millisecond' end,
                wake_at = case when s.accepted_at is not null and s.heartbeat_ms is not null
                               then least(s.deadline_at, now() + s.heartbeat_ms * interval '1 millisecond') else s.wake_at end
           from locked
          where s.step_execution_id = $2 and s.run_id = locked.run_id and s.run_id = $1 and s.status = 'RUNNING'`,
        [runId, stepExecutionId],
      );
      return touched > 0;
    },
  };
}

function callOf(row: CallRow): AttemptCall {
  return {
    stepExecutionId: row.step_execution_id,
    runId: row.run_id,
    runStatus: row.run_status,
    attemptStatus: row.attempt_status,
    accepted: row.accepted,
    timeoutMs: row.timeout_ms,
    agentName: row.agent_name,
    agent:
      row.kind === null
        ? null
        : {
            kind: row.kind,
            address: row.address!,
            owner: row.agent_owner,
            timeoutSeconds: row.timeout_seconds,
            secretEncrypted: row.secret_encrypted,
            previousSecretEncrypted: row.previous_secret_encrypted,
          },
    speed:
      row.average_ms === null
        ? null
        : { addressHash: row.speed_address_hash!, averageMs: row.average_ms, ageMs: row.speed_age_ms! },
  };
}

function speedKey({ name, owner }: AgentSpeed): string {
  return JSON.stringify([name, owner ?? '']);
}

/** The times of agents that read their own topics, whose tasks were published just now. */
export function createAgentClocks(statements: Statements): AgentClocks {
  const { extendDeadlines } = createAgentCalls(statements);
  return {
    start: (clocks) =>
      extendDeadlines(
        clocks.map(({ timeoutMs: deadlineInMs, ...attempt }) => ({
          ...attempt,
          deadlineInMs,
          accepted: false,
          isPublished: true,
        })),
      ),
  };
}
