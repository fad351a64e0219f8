import type { Attempt, Join, Run } from '../engine/state.ts';

/*
 * The columns of what the engine decides about, each once. The functions of the hot path name lists of them (fillColumns), and rows are
 * made of states, and states of rows, by them. A new column is a line here, beside its migration and what it means (engine/state.ts). One that is loaded is in the results of
 * load_runs and load_attempts, which are other functions then (migrations/README.md).
 */

type SqlType =
  | 'varchar'
  | 'text'
  | 'jsonb'
  | 'timestamptz'
  | 'integer'
  | 'integer[]'
  | 'bigint'
  | 'boolean'
  | 'uuid';

/** `given`: as it is given; `first`: what is there stays; `last`: what is there stays where nothing is given; `none`: null from then on. */
type Update = 'given' | 'first' | 'last' | 'none';

interface Column {
  readonly name: string;
  readonly type: SqlType;
}

interface AttemptColumn extends Column {
  /** Without a word: it is. */
  readonly loaded?: false;
  readonly opened?: false;
  /** What becomes of it in an attempt that goes on, or ends. Without a word: it stays as it is. */
  readonly continued?: Update;
  readonly closed?: Update;
}

/** A column for each field but the key, and the error, which has two. */
const attempt = {
  stepId: { name: 'step_id', type: 'varchar' },
  scope: { name: 'scope', type: 'text' },
  visit: { name: 'visit', type: 'integer' },
  attempt: { name: 'attempt', type: 'integer' },
  policyAttempt: { name: 'policy_attempt', type: 'integer' },
  policyRetries: { name: 'policy_retries', type: 'integer[]' },
  status: { name: 'status', type: 'varchar', continued: 'given', closed: 'given' },
  // Loaded where it is asked for.
  inputData: { name: 'input_data', type: 'jsonb', loaded: false, continued: 'first', closed: 'first' },
  // What an attempt came to is never read back by a decision, but for its error's code.
  outputData: { name: 'output_data', type: 'jsonb', loaded: false, closed: 'given' },
  logs: { name: 'logs', type: 'jsonb', loaded: false, opened: false, closed: 'given' },
  createdAt: { name: 'created_at', type: 'timestamptz' },
  // `first`: of a step that began and ended at once.
  startedAt: { name: 'started_at', type: 'timestamptz', continued: 'given', closed: 'first' },
  completedAt: { name: 'completed_at', type: 'timestamptz', closed: 'given' },
  timeoutMs: { name: 'timeout_ms', type: 'bigint' },
  dueAt: { name: 'due_at', type: 'timestamptz', continued: 'given', closed: 'none' },
  deadlineAt: { name: 'deadline_at', type: 'timestamptz', continued: 'given' },
  acceptedAt: { name: 'accepted_at', type: 'timestamptz', opened: false },
  heartbeatMs: { name: 'heartbeat_ms', type: 'bigint', continued: 'given' },
  heartbeatDueAt: { name: 'heartbeat_due_at', type: 'timestamptz', continued: 'given', closed: 'none' },
  republishedAt: { name: 'republished_at', type: 'timestamptz', opened: false, continued: 'given' },
  signalName: { name: 'signal_name', type: 'varchar', continued: 'given' },
  childRunId: { name: 'child_run_id', type: 'varchar', continued: 'given', closed: 'last' },
  wakeAt: { name: 'wake_at', type: 'timestamptz', continued: 'given', closed: 'none' },
} as const satisfies Record<Exclude<keyof Attempt, 'stepExecutionId' | 'error'>, AttemptColumn>;

/** A join's, but for its failure, which has two. */
const join = {
  path: { name: 'path', type: 'text' },
  stepId: { name: 'step_id', type: 'varchar' },
  stepExecutionId: { name: 'step_execution_id', type: 'varchar' },
  total: { name: 'total', type: 'integer' },
  needed: { name: 'needed', type: 'integer' },
  tolerated: { name: 'tolerated', type: 'integer' },
  started: { name: 'started', type: 'integer' },
  waiting: { name: 'waiting', type: 'integer' },
  nextWaiting: { name: 'next_waiting', type: 'integer' },
  completed: { name: 'completed', type: 'integer' },
  failed: { name: 'failed', type: 'integer' },
  outputBytes: { name: 'output_bytes', type: 'bigint' },
  isOver: { name: 'is_over', type: 'boolean' },
} as const satisfies Record<Exclude<keyof Join, 'failure'>, Column>;

interface RunColumn extends Column {
  /** What is written of it by a decision that changes it. Without: it never changes. */
  readonly of?: (run: Run) => unknown;
  readonly changed?: Update;
}

const runColumns: readonly RunColumn[] = [
  { name: 'run_id', type: 'varchar' },
  { name: 'owner', type: 'varchar' },
  { name: 'workflow_id', type: 'varchar' },
  { name: 'workflow_version_id', type: 'uuid' },
  { name: 'parent_run_id', type: 'varchar' },
  { name: 'depth', type: 'integer' },
  { name: 'held_by', type: 'varchar' },
  { name: 'status', type: 'varchar', of: ({ status }) => status },
  { name: 'sequence', type: 'bigint', of: ({ sequence }) => sequence },
  { name: 'started_at', type: 'timestamptz', of: ({ startedAt }) => startedAt },
  { name: 'completed_at', type: 'timestamptz', of: ({ completedAt }) => completedAt },
  { name: 'error_code', type: 'varchar', of: ({ error }) => error?.code },
  { name: 'error_message', type: 'text', of: ({ error }) => error?.message },
  { name: 'error_step_id', type: 'varchar', of: ({ error }) => error?.stepId },
  { name: 'error_attempt', type: 'integer', of: ({ error }) => error?.attempt },
  { name: 'cancelled_at', type: 'timestamptz', of: ({ cancellation }) => cancellation?.at },
  { name: 'cancelled_by', type: 'varchar', of: ({ cancellation }) => cancellation?.by },
  { name: 'cancel_reason', type: 'text', of: ({ cancellation }) => cancellation?.reason },
  { name: 'retried_at', type: 'timestamptz', of: ({ retriedAt }) => retriedAt },
  { name: 'paused_at', type: 'timestamptz', of: ({ pausedAt }) => pausedAt },
  { name: 'steps_started', type: 'integer', of: ({ stepsStarted }) => stepsStarted },
  { name: 'timeout_at', type: 'timestamptz', of: ({ timeoutAt }) => timeoutAt },
  { name: 'revisits', type: 'boolean', of: ({ revisits }) => revisits },
  {
    name: 'parent_step_execution_id',
    type: 'varchar',
    of: ({ parent }) => parent?.stepExecutionId,
    changed: 'last',
  },
  { name: 'wake_at', type: 'timestamptz', of: ({ wakeAt }) => wakeAt },
];

const RUN_ID: Column = { name: 'run_id', type: 'varchar' };
const ERROR: readonly Column[] = [
  { name: 'error_code', type: 'varchar' },
  { name: 'error_message', type: 'text' },
];
const FAILURE: readonly Column[] = [
  { name: 'failure_code', type: 'varchar' },
  { name: 'failure_message', type: 'text' },
];
const OUTPUT: Column = { name: 'output_data', type: 'jsonb' };

/** A list of columns, each with what an update does with it. */
type List = readonly (Column & { readonly update: Update })[];

const given = (columns: readonly Column[]): List => columns.map((column) => ({ ...column, update: 'given' }));
const attemptColumns: readonly AttemptColumn[] = Object.values(attempt);
const updated = (kind: 'continued' | 'closed'): List =>
  attemptColumns.flatMap((column) => {
    const update = column[kind];
    return update === undefined ? [] : [{ ...column, update }];
  });

const lists = {
  'attempt.loaded': given([
    RUN_ID,
    { name: 'step_execution_id', type: 'varchar' },
    ...attemptColumns.filter(({ loaded }) => loaded !== false),
    ERROR[0] as Column,
  ]),
  'attempt.opened': given([...attemptColumns.filter(({ opened }) => opened !== false), ...ERROR]),
  'attempt.continued': updated('continued'),
  'attempt.closed': [...updated('closed'), ...given(ERROR)],
  'run.loaded': given(runColumns),
  'run.changed': [
    ...runColumns.flatMap(({ of, changed = 'given', ...column }) =>
      of ? [{ ...column, update: changed }] : [],
    ),
    ...given([OUTPUT]),
  ],
  join: given([...Object.values(join), ...FAILURE]),
  'join.counts': given([...Object.values(join).slice(2), ...FAILURE]),
} as const satisfies Record<string, List>;

interface WrittenField extends Column {
  readonly field: string;
}

/** Which fields of a state the statements that write a list are given. */
const writtenOf = {
  opened: writtenFields(attempt, lists['attempt.opened']),
  continued: writtenFields(attempt, lists['attempt.continued']),
  closed: writtenFields(attempt, lists['attempt.closed']),
  join: writtenFields(join, lists.join),
};

function writtenFields(fields: Readonly<Record<string, Column>>, list: List): readonly WrittenField[] {
  const isGiven = (name: string) => list.some((column) => column.name === name && column.update !== 'none');
  return Object.entries(fields).flatMap(([field, { name, type }]) =>
    isGiven(name) ? [{ field, name, type }] : [],
  );
}

/** Of runs and of attempts: a column that both have stands once. */
const either = [
  ...new Map(
    [...lists['run.loaded'], ...lists['attempt.loaded']].map((column) => [column.name, column]),
  ).values(),
];

const updates: Readonly<Record<Update, (name: string, row: string) => string>> = {
  given: (name) => `v.${name}`,
  first: (name, row) => `coalesce(${row}.${name}, v.${name})`,
  last: (name, row) => `coalesce(v.${name}, ${row}.${name})`,
  none: () => 'null',
};

/**
 * The text of a function with the columns that it names: `{{<list> names}}`, `{{<list> types}}` as of a table or a record,
 * `{{<list> of v}}` of a row `v`, `{{<list> set r}}` as a record `v` changes a row `r`, and, of runs and attempts in one result,
 * `{{either types}}` and `{{either of r as <list>}}`, with nulls for what the list has not.
 * @throws where it names what is not there
 */
export function fillColumns(text: string): string {
  return text.replace(/\{\{([^}]*)\}\}/g, (_, asked: string) => {
    const [name = '', form, row = '', , as = ''] = asked.split(' ');
    const list: List | undefined = name === 'either' ? either : lists[name as keyof typeof lists];
    const filled = list && fill(list, form, row, lists[as as keyof typeof lists]);
    if (filled === undefined) throw new Error(`There are no such columns: {{${asked}}}`);
    return filled.join(', ');
  });
}

function fill(list: List, form: string | undefined, row: string, as: List | undefined): string[] | undefined {
  switch (form) {
    case 'names':
      return list.map(({ name }) => name);
    case 'types':
      return list.filter(({ update }) => update !== 'none').map(({ name, type }) => `${name} ${type}`);
    case 'of':
      return list.map(({ name, type }) =>
        as === undefined || as.some((column) => column.name === name) ? `${row}.${name}` : `null::${type}`,
      );
    case 'set':
      return list.map(({ name, update }) => `${name} = ${updates[update](name, row)}`);
    default:
      return undefined;
  }
}

/** A row as Postgres gives it, by the names of its columns. */
export type Row = Readonly<Record<string, unknown>>;

export function attemptOf(row: Row): Attempt {
  const code = row.error_code as string | null;
  return {
    stepExecutionId: row.step_execution_id as string,
    ...(fieldsOf(attempt, row) as Omit<Attempt, 'stepExecutionId' | 'error'>),
    error: code === null ? null : { code, message: '' },
  };
}

/** What a statement needs of it that writes the list. */
export function attemptRow(of: Attempt, list: 'opened' | 'continued' | 'closed'): Row {
  return {
    ...rowOf(writtenOf[list], of),
    ...(list !== 'continued' && { error_code: of.error?.code, error_message: of.error?.message }),
  };
}

export function joinOf(row: Row): Join {
  const code = row.failure_code as string | null;
  return {
    ...(fieldsOf(join, row) as Omit<Join, 'failure'>),
    failure: code === null ? null : { code, message: (row.failure_message as string | null) ?? '' },
  };
}

export function joinRow(of: Join): Row {
  return {
    ...rowOf(writtenOf.join, of),
    failure_code: of.failure?.code,
    failure_message: of.failure?.message,
  };
}

export function runRow(of: Run): Row {
  const row: Record<string, unknown> = { output_data: of.outputData };
  for (const { name, type, of: read } of runColumns) if (read) row[name] = written(type, read(of));
  return row;
}

function fieldsOf(fields: Readonly<Record<string, AttemptColumn>>, row: Row): Record<string, unknown> {
  const state: Record<string, unknown> = {};
  for (const field in fields) {
    const { name, type } = fields[field] as Column;
    const value = row[name] ?? null;
    state[field] = type === 'timestamptz' && value !== null ? (value as Date).getTime() : value;
  }
  return state;
}

function rowOf(fields: readonly WrittenField[], state: object): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (const { field, name, type } of fields) row[name] = written(type, state[field as keyof typeof state]);
  return row;
}

/** Nothing at all is nothing in a document, as null is. */
function written(type: SqlType, value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  return type === 'timestamptz' ? new Date(value as number).toISOString() : value;
}
