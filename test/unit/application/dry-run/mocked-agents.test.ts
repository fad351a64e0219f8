import { expect, it } from 'vitest';
import {
  type Mock,
  MockedAgents,
  type MockedCall,
} from '../../../../shared/application/dry-run/mocked-agents.ts';

const task = (stepId: string): MockedCall => ({
  stepId,
  agentName: `${stepId}-agent`,
  inputData: { of: stepId },
});
const output = (value: number): Mock => ({ outcome: { status: 'completed', output: value }, logs: null });

it('answers each call of a step in turn, the last answer for all later calls', () => {
  const agents = new MockedAgents(new Map([['a', [output(1), output(2)]]]), new Map());
  const outputs = ['a', 'b', 'a', 'a', 'b'].map((stepId) => agents.answer(task(stepId)).outcome);
  const echo = { status: 'completed', output: { of: 'b' } };
  const mocked = (value: number) => ({ status: 'completed', output: value });
  expect(outputs).toEqual([mocked(1), echo, mocked(2), mocked(2), echo]);
});

it('takes a mock before the agent’s example, and an example before an echo', () => {
  const examples = new Map([
    ['a-agent', 'example of a'],
    ['b-agent', 'example of b'],
  ]);
  const agents = new MockedAgents(new Map([['a', [output(1)]]]), examples);
  const answers = ['a', 'b', 'c'].map((stepId) => agents.answer(task(stepId)));
  expect(answers.map(({ source, outcome }) => [source, outcome])).toEqual([
    ['mock', { status: 'completed', output: 1 }],
    ['example', { status: 'completed', output: 'example of b' }],
    ['echo', { status: 'completed', output: { of: 'c' } }],
  ]);
});

it('knows the mocks that nobody asked for', () => {
  const agents = new MockedAgents(
    new Map([
      ['a', [output(1)]],
      ['b', [output(2)]],
    ]),
    new Map(),
  );
  expect(agents.unusedMocks()).toEqual(['a', 'b']);
  agents.answer(task('a'));
  expect(agents.unusedMocks()).toEqual(['b']);
});

it('takes no example where it is no agent that is asked', () => {
  const agents = new MockedAgents(new Map(), new Map([['a-agent', 'example of a']]));
  expect(agents.answer({ ...task('a'), agentName: null }).source).toBe('echo');
});
