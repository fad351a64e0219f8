import { describe, expect, it } from 'vitest';
import { namesIn, namesOfNothing } from '../../../shared/definition/warnings/names-of-nothing.ts';
import { agent, map, parallel, parsed, pass, workflow } from './definitions.ts';

const nested = parsed(
  workflow({
    a: parallel({ x: { b: agent({ agent_name: 'data-extracter' }) }, y: { c: agent() } }, { next_step: 'd' }),
    d: map({ e: { type: 'workflow', workflow_name: 'biling' } }, { next_step: 'f' }),
    f: { type: 'workflow', workflow_name: 'w', next_step: 'g' },
    g: agent({ agent_name: 'data-extracter', next_step: 'h' }),
    h: pass(),
  }),
);
const known = { agents: ['agent', 'data-extractor', 'echo'], workflows: ['billing', 'shipping'] };

describe('names in a definition', () => {
  it('are those of its agents and of other workflows, each once, in all scopes', () => {
    expect(namesIn(nested)).toEqual({ agents: ['data-extracter', 'agent'], workflows: ['biling'] });
    expect(namesIn(parsed(workflow({ a: pass() })))).toEqual({ agents: [], workflows: [] });
  });

  it('that are missing are told at each step, with the nearest that is there', () => {
    const missing = { agents: ['data-extracter'], workflows: ['biling'] };
    const hint = 'Register the agent, or correct the name: the step would fail with AGENT_NOT_FOUND';
    const message =
      'there is no agent "data-extracter" that the workflow\'s owner may use, did you mean "data-extractor"?';
    expect(namesOfNothing(nested, missing, known)).toEqual([
      { path: 'steps.a.branches.x.steps.b.agent_name', message, hint },
      {
        path: 'steps.d.steps.e.workflow_name',
        message: 'the workflow\'s owner has no workflow "biling", did you mean "billing"?',
        hint: 'Register that workflow, or correct the name: the step would fail with WORKFLOW_NOT_FOUND',
      },
      { path: 'steps.g.agent_name', message, hint },
    ]);
    expect(namesOfNothing(nested, { agents: [], workflows: [] }, known)).toEqual([]);
  });

  it('without a near one are told alone', () => {
    const none = { agents: [], workflows: [] };
    expect(namesOfNothing(nested, { ...none, agents: ['agent'] }, none)).toMatchObject([
      { path: 'steps.a.branches.y.steps.c.agent_name', message: expect.not.stringContaining('did you mean') },
    ]);
  });

  it('are a hundred at the most, and searched for once each', () => {
    const steps = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, i) => [
        i === 0 ? 'a' : `s${i}`,
        agent({ agent_name: `agent number ${i}`, ...(i < 4_999 && { next_step: `s${i + 1}` }) }),
      ]),
    );
    const definition = parsed(workflow(steps));
    const many = Array.from({ length: 500 }, (_, i) => `agent number ${i}x`);
    const warnings = namesOfNothing(definition, namesIn(definition), { agents: many, workflows: [] });
    expect(warnings).toHaveLength(100);
    expect(warnings[7]?.message).toContain('"agent number 7x"');
  });
});
