import { describe, expect, it } from 'vitest';
import { presentAgent, presentListedAgent } from '../../../functions/api/presenters/agent.ts';
import { presentPlace, scopeLabel } from '../../../functions/api/presenters/place.ts';
import { presentRun, presentRunSummary } from '../../../functions/api/presenters/run.ts';
import { presentStep } from '../../../functions/api/presenters/step.ts';
import type { RunDetails, StepDetails } from '../../../shared/persistence/run-queries.ts';
import { planOf } from '../../support/plan-of.ts';

const at = (second: number) => new Date(Date.UTC(2024, 0, 15, 10, 30, second));

const run: RunDetails = {
  id: '01933cf0-0000-7000-8000-000000000001',
  run_id: 'run-123e4567-e89b-12d3-a456-426614174000',
  workflow_id: 'wf-data-pipeline-1',
  workflow_name: 'data-pipeline',
  workflow_definition_id: null,
  status: 'PENDING',
  execution_status: 'PENDING',
  error_message: null,
  triggered_by: null,
  created_at: at(0),
  updated_at: null,
  completed_at: null,
  cancelled_at: null,
  cancelled_by: null,
  version: null,
  community_id: null,
  sequence: 0,
  started_at: null,
  paused_at: null,
  held_by: null,
  parent_run_id: null,
  cancel_reason: null,
  error_code: null,
  error_step_id: null,
  error_attempt: null,
  input_data: { a: 1 },
  output_data: null,
  variables: null,
  metadata: null,
};

describe('a run', () => {
  it('takes its execution_id from its run_id, or from its row where another producer made it', () => {
    expect(presentRun(run).execution_id).toBe('123e4567-e89b-12d3-a456-426614174000');
    for (const run_id of ['theirs', 'run-7', 'run-123E4567-E89B-12D3-A456-426614174000']) {
      expect(presentRun({ ...run, run_id })).toMatchObject({ run_id, execution_id: run.id });
    }
  });

  it('counts from its creation until it is started', () => {
    expect(presentRun(run)).toMatchObject({
      started_at: '2024-01-15T10:30:00.000Z',
      updated_at: null,
      completed_at: null,
    });
    expect(presentRun({ ...run, started_at: at(5), completed_at: at(7) })).toMatchObject({
      started_at: '2024-01-15T10:30:05.000Z',
      completed_at: '2024-01-15T10:30:07.000Z',
    });
  });

  it('is PAUSED since it was paused, until it is closed', () => {
    const paused = { ...run, execution_status: 'PAUSED', paused_at: at(3) } as const;
    expect(presentRun(paused)).toMatchObject({ status: 'PAUSED', paused_at: '2024-01-15T10:30:03.000Z' });
    const closed = { ...paused, status: 'CANCELLED', execution_status: 'CANCELLED' } as const;
    expect(presentRun(closed)).toMatchObject({ status: 'CANCELLED', paused_at: null });
  });

  it('shows its data in full only', () => {
    expect(presentRun(run).input_data).toEqual({ a: 1 });
    expect(presentRunSummary(run)).not.toHaveProperty('input_data');
  });
});

describe('a step', () => {
  const step: StepDetails = {
    id: '01933cf0-0000-7000-8000-000000000002',
    step_execution_id: 's-1',
    run_id: run.run_id,
    step_id: 'extract',
    step_name: 'extract',
    agent_name: 'data-extractor',
    status: 'RUNNING',
    input_data: null,
    output_data: null,
    error_message: null,
    started_at: at(1),
    completed_at: null,
    step_type: 'agent',
    scope: '',
    visit: 1,
    attempt: 1,
    error_code: null,
    logs: null,
    created_at: at(0),
    due_at: null,
    deadline_at: at(61),
    heartbeat_due_at: null,
    signal_name: null,
    child_run_id: null,
  };

  it('has a duration once it is over', () => {
    expect(presentStep(step, null)).toMatchObject({
      duration_ms: null,
      logs: [],
      deadline_at: '2024-01-15T10:31:01.000Z',
    });
    expect(presentStep({ ...step, completed_at: at(3) }, null).duration_ms).toBe(2_000);
    expect(presentStep({ ...step, started_at: null, completed_at: at(3) }, null)).toMatchObject({
      started_at: null,
      duration_ms: null,
    });
  });
});

describe('the place of a step', () => {
  it.each([
    ['', ''],
    ['both#1/left', 'both[left]'],
    ['each#1/3', 'each[3]'],
    ['each#2/3', 'each#2[3]'],
    ['each#2/3/both#1/left%2Fright', 'each#2[3].both[left/right]'],
    ['a%2Fb%231#1/0', 'a/b#1[0]'],
    // Another producer's.
    ['left', ''],
    ['%zz#1/%', '%zz[%]'],
  ])('of scope %j is %j', (scope, label) => {
    expect(scopeLabel(scope)).toBe(label);
  });

  const work = { agent_name: 'worker' };
  const each = { type: 'map', items: '$.workflow_input.rows', start_step: 'work', steps: { work } };
  const plan = planOf({
    steps: {
      both: {
        type: 'parallel',
        branches: {
          left: { start_step: 'each', steps: { each } },
          3: { start_step: 'third', steps: { third: work } },
        },
      },
    },
  });
  const nowhere = { branch: null, item: null };
  it.each([
    ['', plan, nowhere],
    ['both#1/left', plan, { branch: { step_id: 'both', name: 'left' }, item: null }],
    ['both#1/3', plan, { branch: { step_id: 'both', name: '3' }, item: null }],
    ['each#1/3', plan, { branch: null, item: { step_id: 'each', index: 3 } }],
    ['both#1/left/each#4/0', plan, { branch: null, item: { step_id: 'each', index: 0 } }],
    ['gone#1/3', plan, { branch: null, item: { step_id: 'gone', index: 3 } }],
    ['both#1/left', null, { branch: { step_id: 'both', name: 'left' }, item: null }],
  ])('of scope %j is shown by the type of its container', (scope, of, place) => {
    expect(presentPlace(scope, of)).toEqual(place);
  });
});

describe('an agent', () => {
  const agent = {
    id: 'a-1',
    owner: null,
    name: 'echo',
    timeoutSeconds: 30,
    exampleOutput: { rows: 3 },
    previousSecretUntil: null,
    createdAt: at(0),
    updatedAt: at(0),
  };
  it.each([
    ['http', 'url', 'https://agents.example.com'],
    ['lambda', 'function_arn', 'echo'],
    ['kafka', 'topic', 'agent.echo'],
  ] as const)('of kind %s is at its %s', (kind, field, address) => {
    const presented = presentAgent({ ...agent, kind, address });
    expect(presented).toMatchObject({
      name: 'echo',
      kind,
      [field]: address,
      timeout_seconds: 30,
      owner: null,
    });
    expect(Object.keys(presented).filter((key) => ['url', 'function_arn', 'topic'].includes(key))).toEqual([
      field,
    ]);
    expect(presented).not.toHaveProperty('secret');
    expect(presentAgent({ ...agent, kind, address }, 'shh')).toHaveProperty('secret', 'shh');
  });

  it('shows its example output where it stands alone, and not in a list', () => {
    const http = { ...agent, kind: 'http', address: 'https://agents.example.com' } as const;
    expect(presentAgent(http)).toHaveProperty('example_output', { rows: 3 });
    const { example_output: _none, previous_secret_until: _neither, ...rest } = presentAgent(http);
    expect(presentListedAgent(http)).toEqual(rest);
  });
});
