import type { PlacedStep } from './placed-steps.ts';
import type { Warning } from './warning.ts';

/** Error codes that a step asks for and that its own fields rule out. */
export function codesThatNeverCome({ path, step }: PlacedStep): Warning[] {
  const ruledOut = ruledOutBy(step);
  const untried = triedNeverAgain(step);
  const retries = 'retry' in step && step.retry ? [step.retry].flat() : [];
  const isList = 'retry' in step && Array.isArray(step.retry);
  const caught = 'catch' in step ? (step.catch ?? []) : [];
  const told = (at: string, codes: readonly string[] | undefined, reasons: Reasons) =>
    (codes ?? []).flatMap((code, i) => {
      const reason = reasons.get(code);
      return reason === undefined ? [] : [{ path: `${path}.${at}.codes.${i}`, ...reason }];
    });
  return [
    ...caught.flatMap(({ codes }, i) => told(`catch.${i}`, codes, ruledOut)),
    ...retries.flatMap(({ codes }, i) =>
      told(isList ? `retry.${i}` : 'retry', codes, new Map([...untried, ...ruledOut])),
    ),
  ];
}

type Reasons = ReadonlyMap<string, Omit<Warning, 'path'>>;

function ruledOutBy(step: PlacedStep['step']): Reasons {
  switch (step.type) {
    case undefined:
    case 'agent':
      return step.heartbeat_seconds === undefined
        ? reason('HEARTBEAT_TIMEOUT', 'the step has no heartbeat_seconds', 'Set heartbeat_seconds')
        : new Map();
    case 'choice':
      return step.default_next_step === undefined
        ? new Map()
        : reason('NO_CHOICE_MATCHED', 'the step has a default_next_step', 'Leave it out');
    case 'signal':
      return step.timeout_seconds === undefined
        ? reason('TIMEOUT', 'the step waits for ever', 'Set timeout_seconds')
        : new Map();
    default:
      return new Map();
  }
}

function reason(code: string, why: string, hint: string): Reasons {
  return new Map([[code, { message: `${code} never comes: ${why}`, hint }]]);
}

/** What would come to the same again; of a child, what somebody wanted. */
function triedNeverAgain({ type }: PlacedStep['step']): Reasons {
  const codes =
    type === undefined || type === 'agent'
      ? ['EXPRESSION_ERROR', 'DATA_LIMIT', 'STEP_LIMIT']
      : type === 'workflow'
        ? ['CANCELLED', 'WORKFLOW_NOT_FOUND']
        : [];
  return new Map(
    codes.map((code) => [
      code,
      { message: `${code} is never tried again, whatever the policy`, hint: 'Deal with it by catch' },
    ]),
  );
}
