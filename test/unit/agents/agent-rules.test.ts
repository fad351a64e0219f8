import { describe, expect, it } from 'vitest';
import { createAgentGuards } from '../../../shared/agents/agent-guards.ts';
import { createCheckAddress } from '../../../shared/agents/agent-rules.ts';
import { ownFunctionsOf } from '../../../shared/config/own-functions.ts';
import { topicsFor } from '../../../shared/config/topics.ts';

const check = createCheckAddress({
  guards: createAgentGuards({
    agentAllowedCidrs: ['127.0.0.0/8', '10.1.0.0/16'],
    userAgentAllowedCidrs: ['10.1.7.0/24'],
  }),
  topics: topicsFor({ prefix: '', executionTopic: 'executions', cancellationTopic: 'agent.cancellations' }),
  ownFunctions: ownFunctionsOf('acme-dev-http-bridge'),
});

describe('where an HTTP agent may be', () => {
  it.each<[string, boolean, boolean]>([
    ['https://agents.example.com/', true, true],
    ['http://127.0.0.1:8000/api/v1/workflows', true, false],
    ['http://localhost:9092/', true, false],
    ['http://[::ffff:127.0.0.1]/', true, false],
    ['http://10.1.0.1/', true, false],
    ['http://10.1.7.1/', true, true],
    ['http://10.2.0.1/', false, false],
    ['http://169.254.169.254/', false, false],
    ['ftp://agents.example.com/', false, false],
  ])('%s: everybody’s %s, a user’s own %s', (address, everybodys, own) => {
    expect(check({ kind: 'http', address, owner: null }) === null).toBe(everybodys);
    expect(check({ kind: 'http', address, owner: 'ann' }) === null).toBe(own);
  });

  it('is said with the variable that allows more', () => {
    const address = 'http://192.168.0.1/';
    expect(check({ kind: 'http', address, owner: null })).toContain('(AGENT_ALLOWED_CIDRS allows others)');
    expect(check({ kind: 'http', address, owner: 'ann' })).toContain(
      '(USER_AGENT_ALLOWED_CIDRS allows others)',
    );
  });
});

describe('the topic of a Kafka agent', () => {
  it.each([
    ['agent.mine', null],
    [`agent.${'x'.repeat(243)}`, null],
    ['workflow.cancellation.requests', 'expected to start with agent.'],
    ['results.topic', 'expected to start with agent.'],
    ['agents.mine', 'expected to start with agent.'],
    // A deployment may have named its own so.
    ['agent.cancellations', "expected an agent's topic, got one of Stepline's own"],
    ['', 'expected at most 249 letters, digits, dots, underscores and hyphens'],
    ['agent.a b', 'expected at most 249 letters, digits, dots, underscores and hyphens'],
    ['agent.\n', 'expected at most 249 letters, digits, dots, underscores and hyphens'],
    [`agent.${'x'.repeat(244)}`, 'expected at most 249 letters, digits, dots, underscores and hyphens'],
  ])('%.40j: %s', (address, problem) => {
    expect(check({ kind: 'kafka', address, owner: null })).toBe(problem);
  });
});

describe('the function of a Lambda agent', () => {
  const arn = 'arn:aws:lambda:eu-west-1:123456789012:function:';
  const own = (name: string) => `expected an agent's function, got ${name}, which is one of Stepline's own`;
  const form = 'expected the name or ARN of a Lambda function, with :version or :alias or without';
  it.each([
    ['my-agent', null],
    ['my-agent:live', null],
    [`${arn}my-agent:$LATEST`, null],
    ['acme-prod-api', null],
    ['api', null],
    ['acme-dev-api', own('acme-dev-api')],
    ['acme-dev-step-executor:live', own('acme-dev-step-executor')],
    [`${arn}acme-dev-http-bridge`, own('acme-dev-http-bridge')],
    [`${arn}acme-dev-redrive:7`, own('acme-dev-redrive')],
    ['arn:aws:lambda:x', form],
    ['', form],
    ['my agent', form],
    [`${arn}${'x'.repeat(65)}`, form],
  ])('%.80j: %s', (address, problem) => {
    expect(check({ kind: 'lambda', address, owner: null })).toBe(problem);
  });

  it('is none of ours without a prefix, as they are called locally', () => {
    expect([...ownFunctionsOf('lambda-bridge')]).toContain('step-executor');
    expect([...ownFunctionsOf('')]).toEqual([...ownFunctionsOf('api')]);
    expect([...ownFunctionsOf('acme-dev-api')]).toContain('acme-dev-timekeeper');
  });
});
