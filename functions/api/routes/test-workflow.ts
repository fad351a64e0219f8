import type { DryRunResult } from '../../../shared/application/dry-run/dry-run.ts';
import { limits } from '../../../shared/config/limits.ts';
import { accountForTest } from '../accounting.ts';
import { ApiError, badRequest } from '../api-error.ts';
import { dryRunBody, mocksOf } from '../dry-run-body.ts';
import { findExecutable } from '../permissions.ts';
import { presentDryRun } from '../presenters/dry-run.ts';
import { defineRoute } from '../route.ts';
import { idParam } from '../schemas.ts';

export const testWorkflowRoutes = [
  defineRoute({
    method: 'POST',
    path: '/api/v1/workflows/{id}/test',
    operationId: 'testWorkflow',
    summary: 'Runs the newest version without effects: no run is stored, no message sent, no agent called',
    authentication: 'caller',
    scope: 'execute',
    params: idParam,
    body: dryRunBody,
    subjectName: 'Workflow',
    find: ({ caller, params }, services) => findExecutable(caller, params.id, services),
    // It changes nothing, so there is no audit record; the line with its result is written here.
    audited: 'never',
    async handle({ subject, body, audit }, services) {
      const result = await services.dryRun.run(subject, {
        inputData: body.input_data ?? null,
        variables: body.variables ?? null,
        mocks: mocksOf(body),
      });
      if (!result.ok) throw refusalOf(result.reason);
      const { data, meta } = presentDryRun(subject.id, result.report);
      accountForTest(audit, data.summary.passed, services);
      return { status: 200, message: 'Workflow test completed', data, meta };
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
