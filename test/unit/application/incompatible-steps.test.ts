import { describe, expect, it } from 'vitest';
import { incompatibleSteps } from '../../../shared/application/incompatible-steps.ts';
import { planDefaults } from '../../../shared/config/plan-defaults.ts';
import { compilePlan } from '../../../shared/definition/compile-plan.ts';
import { parseDefinition } from '../../../shared/definition/parse-definition.ts';

const inner = (names: readonly string[], steps: object) => ({
  type: 'parallel',
  branches: Object.fromEntries(
    names.map((name) => [name, { start_step: `in-${name}`, steps: { [`in-${name}`]: steps } }]),
  ),
});
const agent = { agent_name: 'x' };

function planOf(steps: object) {
  const parsed = parseDefinition({ name: 'w', start_step: 'a', steps });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return compilePlan(parsed.definition, planDefaults);
}

const before = planOf({
  a: { ...agent, next_step: 'both' },
  both: { ...inner(['left', 'right'], agent), next_step: 'z' },
  z: agent,
});
const changed = (given: object) =>
  planOf({
    a: { ...agent, next_step: 'both' },
    both: { ...inner(['left', 'right'], agent), next_step: 'z' },
    z: agent,
    ...given,
  });

describe('the steps that keep a run from another version are', () => {
  it.each<[string, ReturnType<typeof planOf>, readonly string[], readonly string[]]>([
    ['none where all is as it was', changed({}), ['a', 'in-left', 'z'], []],
    ['none that it has not completed', changed({ z: { type: 'pass', result: 1 } }), ['a'], []],
    ['those of another type', changed({ z: { type: 'pass', result: 1 } }), ['a', 'z'], ['z']],
    [
      'those that are gone',
      planOf({ a: { ...agent, next_step: 'q' }, q: agent }),
      ['a', 'in-left', 'z'],
      ['in-left', 'z'],
    ],
    [
      'those whose branch is gone',
      changed({ both: { ...inner(['left', 'other'], agent), next_step: 'z' } }),
      ['in-left', 'in-right'],
      ['in-left', 'in-right'],
    ],
    [
      'those that stand elsewhere',
      planOf({
        a: { ...agent, next_step: 'in-left' },
        'in-left': { ...agent, next_step: 'z' },
        z: agent,
      }),
      ['a', 'in-left'],
      ['in-left'],
    ],
  ])('%s', (_, after, completed, expected) => {
    expect(incompatibleSteps(before, after, completed)).toEqual(expected);
  });
});
