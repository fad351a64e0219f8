import type { DryRunResult } from '../../../shared/application/dry-run/dry-run.ts';
import { limits } from '../../../shared/config/limits.ts';
import { dryRunBody, mocksOf } from '../fields/dry-run-body.ts';
import { idParam } from '../fields/request-fields.ts';
import { accountForTest } from '../http/accounting.ts';
import { ApiError, badRequest } from '../http/api-error.ts';
import { envelope } from '../http/operation.ts';
import { defineRoute } from '../http/route.ts';
import { presentDryRun, workflowTest, workflowTestMeta } from '../presenters/dry-run.ts';
import { REGISTRY_PATIENCE_MS } from './definition-warnings.ts';
import { findExecutable, requireMembership } from './find-permitted.ts';

export const testWorkflowRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/workflows/{id}/test',
    operationId: 'testWorkflow',
    summary: 'Runs the newest version without effects: no run is stored, no message sent, no agent called',
    operation: {
      tags: ['executions'],
      description:
        'Agents answer with their mocks, else with their registered `example_output`, else with their input. Retries and waits take no time: the trace has the times at which they would have been.',
      answers: { 200: envelope(workflowTest, { meta: workflowTestMeta }) },
      refusals: {
        PERMISSION_DENIED: '`can_execute` on this workflow is needed, and membership of the community.',
        EXECUTION_TIMEOUT: 'It did not end within the limits of steps, time or data, or by itself.',
      },
      bodyExamples: {
        test: {
          community_id: 123,
          variables: { param1: 'test_value' },
          metadata: { session_id: 'test_sess_123' },
        },
      },
    },
    authentication: 'caller',
    scope: 'execute',
    params: idParam,
    body: dryRunBody,
    subjectName: 'Workflow',
    find: ({ caller, params }, services) => findExecutable(caller, params.id, services),
    // It changes nothing, so there is no audit record; the line with its result is written here.
    audited: 'never',
    async handle({ caller, subject, body, audit }, services) {
      requireMembership(caller, body.community_id);
      const testing = services.dryRun.run(subject, {
        inputData: body.input_data ?? null,
        variables: body.variables ?? null,
        mocks: mocksOf(body),
      });
      const naming = services.findMissingNames(caller, { ...subject, patienceMs: REGISTRY_PATIENCE_MS });
      const [result, warnings] = await Promise.all([testing, naming]);
      if (!result.ok) throw refusalOf(result.reason);
      const { data, meta } = presentDryRun(subject.id, result.report);
      accountForTest(audit, data.summary.passed, services);
      return { status: 200, message: 'Workflow test completed', data, meta: { ...meta, warnings } };
    },
  }),
];

type Refusal = Extract<DryRunResult, { ok: false }>['reason'];

const timeouts: Record<Exclude<Refusal, 'examples_too_large'>, string> = {
  step_limit: `within ${limits.maxDryRunSteps} steps`,
  time_limit: `within ${limits.maxDryRunTimeMs / 1_000} seconds`,
  data_limit: `within ${limits.maxDryRunDataLength} characters of inputs and outputs`,
  nothing_due: 'by itself: it waits for what does not come in a test',
};

function refusalOf(reason: Refusal): ApiError {
  if (reason === 'examples_too_large') {
    const message = `expected more of them: the example outputs of the other agents are more than ${limits.maxDryRunExamplesBytes} bytes of JSON`;
    return badRequest([{ path: 'mocks', message }]);
  }
  return new ApiError('EXECUTION_TIMEOUT', `The test did not end ${timeouts[reason]}`, {
    details: { reason },
  });
}
